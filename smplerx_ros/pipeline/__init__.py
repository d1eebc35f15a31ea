"""The pipeline from frames to people: detection, tracking, estimation, localization and smoothing."""
