"""What is done for a frame, and what is left for later: detections, people, and the backbone within a time budget."""
