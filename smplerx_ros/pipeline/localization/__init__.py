"""3-D localisation: how far people are, and how sure it is."""
