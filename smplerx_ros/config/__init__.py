"""The parameters: their table, options of an estimator, and both as arguments of a command line."""
