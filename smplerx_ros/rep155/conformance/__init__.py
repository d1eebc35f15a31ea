"""Conformance of a provider to REP-155: recording, requirements and report."""
