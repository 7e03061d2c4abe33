"""Catch-up: finds orders whose webhooks never came, through the stores' APIs."""
