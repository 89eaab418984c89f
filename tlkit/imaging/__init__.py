"""The one policy to read, decode and resize images."""
