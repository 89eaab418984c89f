"""From files to a manifest. TensorFlow is never imported here."""
