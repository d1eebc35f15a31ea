"""Training of SMPLer-X networks: data, augmentation, targets, losses and training loop. Requires torch."""
