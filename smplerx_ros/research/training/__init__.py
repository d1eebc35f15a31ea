"""Training of SMPLer-X networks: data, augmentation, targets, losses, and the loop. Needs torch, imported lazily."""
