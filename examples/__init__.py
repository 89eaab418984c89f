"""What can be done with tlkit from Python."""
