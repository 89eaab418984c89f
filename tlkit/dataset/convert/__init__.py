"""Annotations of one program converted to those of another."""
