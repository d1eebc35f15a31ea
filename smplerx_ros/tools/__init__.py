"""What is used beside the node: the demo, a player, a recorder, and benchmarks."""
