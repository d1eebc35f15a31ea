"""Finding people: images in, boxes out."""
