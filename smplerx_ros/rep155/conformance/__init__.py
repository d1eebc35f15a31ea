"""Whether a provider keeps REP-155: what was seen of it, the requirements, and the report."""
