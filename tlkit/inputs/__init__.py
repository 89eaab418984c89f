"""STAGE 2: batches of pixels and targets from a manifest."""
