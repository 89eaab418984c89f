"""STAGE 2: a Manifest and a split in, batches of pixels and targets out."""
