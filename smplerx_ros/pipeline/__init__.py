"""From frames to people: detection and identities, estimation, and finishing."""
