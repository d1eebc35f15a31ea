"""Steady bodies from shaky estimates, and how fast they move."""
