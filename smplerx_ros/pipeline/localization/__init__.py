"""3-D localization of people, and its uncertainty."""
