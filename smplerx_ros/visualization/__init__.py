"""Pictures of people: mesh and skeleton over the camera's image; NumPy and OpenCV only."""
