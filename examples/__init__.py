"""Scripts that use tlkit from Python."""
