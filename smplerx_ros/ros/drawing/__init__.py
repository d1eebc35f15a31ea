"""Markers and overlays, made in a process of their own: where cores are scarce, pictures are dropped, never estimates.

The node hands over the newest frame when the last one is drawn, and spends no more on it than a copy of the image.
"""
