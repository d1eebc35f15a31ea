"""Visualization of people: overlays on the camera's image (NumPy and OpenCV only), and the web viewer (viser)."""
