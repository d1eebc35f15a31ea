"""How good the estimates are: error measures, and ground truth from several calibrated cameras."""
