"""Per-camera state, and scheduling of detections, people and backbone within a latency budget."""
