"""Rendered people whose parameters are known: poses, clothes, places, cameras, pictures and their annotations."""
