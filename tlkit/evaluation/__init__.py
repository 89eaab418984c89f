"""Evaluation and prediction of a finished run."""
