"""Publishers: people in, messages out."""
