"""The decode and resize policy."""
