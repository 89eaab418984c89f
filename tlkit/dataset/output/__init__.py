"""The files of a dataset directory."""
