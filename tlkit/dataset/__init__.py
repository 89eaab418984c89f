"""STAGE 1: files in, a Manifest out. No TensorFlow in here, ever."""
