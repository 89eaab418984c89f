"""From what the user names to a folder of files."""
