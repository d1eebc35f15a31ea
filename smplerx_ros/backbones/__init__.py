"""Backbones, which estimate bodies from observations: `lite`, SMPLer-X and SMPLest-X, and their registry."""
