"""The embedded backbone: landmarks of body, hands and face, and SMPL-X parameters fitted to them."""
