"""The benchmarks of `smplerx bench`."""
