"""Catch-up: the orders of a store's API that no webhook brought."""
