"""From files to a manifest.

TensorFlow is never imported here (held by import-linter, pyproject.toml).
"""
