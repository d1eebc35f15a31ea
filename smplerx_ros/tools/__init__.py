"""Tools around the node: demo, video player, recorder and benchmarks."""
