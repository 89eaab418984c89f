"""Outliers, shortcuts and the messages about them."""
