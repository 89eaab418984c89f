"""The inspection of images: each is read once, and remembered on disk."""
