"""Places that hold labeled images: folders, files in them, archives."""
