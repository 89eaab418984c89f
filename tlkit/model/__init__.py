"""Classifiers: backbone, cut, head and freezing. No files, no configuration."""
