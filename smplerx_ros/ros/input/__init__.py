"""Subscriptions: from messages to frames."""
