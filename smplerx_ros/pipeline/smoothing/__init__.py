"""Temporal filters and velocities of people."""
