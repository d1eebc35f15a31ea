"""What `smplerx bench` measures."""
