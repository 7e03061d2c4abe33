"""A local server that plays the destinations and the storefronts' APIs, for development, tests and the demo.

It checks every body against the destination's contract, and injects faults on request. It keeps everything in memory
and never touches the connector's database.
"""
