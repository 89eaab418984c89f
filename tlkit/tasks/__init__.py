"""Multiclass and multilabel: targets, output layer, loss, metrics, predictions."""
