"""The embedded estimator: landmarks of body, hands and face, and the SMPL-X pose fitted to them."""
