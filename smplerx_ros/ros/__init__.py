"""The shell around the core: the node, its conversions between messages and the package's types, and the demo."""
