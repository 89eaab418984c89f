"""Exact, near, rotated and similar duplicates: found and resolved."""
