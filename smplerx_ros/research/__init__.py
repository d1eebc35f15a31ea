"""Evaluation, training and synthetic data."""
