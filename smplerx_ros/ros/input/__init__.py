"""Subscriptions: messages in, frames out."""
