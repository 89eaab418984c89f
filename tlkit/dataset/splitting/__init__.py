"""Labeled examples, groups and their splits."""
