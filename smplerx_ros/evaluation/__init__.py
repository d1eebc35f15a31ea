"""How good the estimates are: error measures, data sets with ground truth, and ground truth from several cameras."""
