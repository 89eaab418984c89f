"""The search for exact, near, rotated and similar duplicates, and what is done."""
