"""Images to correct in labelme, and the corrections back."""
