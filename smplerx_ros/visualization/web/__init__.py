"""The web viewer, served with viser."""
