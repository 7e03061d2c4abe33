"""The ways in which a Python team would build this instead, each a small program of its own.

Nothing here may be imported by the connector; `registry` says how each is started.
"""
