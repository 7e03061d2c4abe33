"""The destinations as a server on this machine: strict by their contracts, and misbehaving on request.

It is a developer's tool. It keeps everything in memory and never touches the connector's database.
"""
