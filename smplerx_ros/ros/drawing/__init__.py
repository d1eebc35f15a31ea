"""Markers and overlays, drawn in a separate process: on a busy machine drawings are dropped, never estimates.

The node hands over the newest frame once the last one is drawn, which costs it one copy of the image.
"""
