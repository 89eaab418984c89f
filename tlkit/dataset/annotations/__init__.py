"""Shapes, masks and the files that hold them."""
