"""Features of frozen layers: computed once, cached."""
