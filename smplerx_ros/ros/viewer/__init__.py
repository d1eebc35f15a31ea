"""The node of the web viewer."""
