"""Checks of a finished split for leaks."""
