"""What computes frozen layers: OpenVINO or Keras."""
