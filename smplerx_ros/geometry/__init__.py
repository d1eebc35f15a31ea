"""Rotations, cameras and image regions; NumPy, SciPy and OpenCV only."""
