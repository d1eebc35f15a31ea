"""Constants of detection that the parameter table needs too; imports nothing."""

DEFAULT_THRESHOLD = 0.2  # score; measured: lower values add few people and the first false positives
