"""Synthetic data: rendered people with known parameters, in random poses, clothes and environments."""
