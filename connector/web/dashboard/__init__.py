"""The dashboard: pages that show what happens to orders, and forms to act on them.

It is a separate Flask application, behind `mount`, so that webhooks do not pay for it. This package imports nothing.
"""
