"""Carries paid orders from online stores to the services that ship and book them."""

__version__ = "1.0.0"
