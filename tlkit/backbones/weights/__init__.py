"""Weights files: where they come from, download, reading, loading."""
