"""Each image inspected once: header, pixels, hashes, cached on disk."""
