"""Configuration: the parameter table, the estimator's options, and command line arguments."""
