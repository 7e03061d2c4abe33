"""JSON of events, deliveries, accounts and jobs, the same for the API and the command line.

Ids are strings and times RFC 3339 in UTC. The API documents its responses from these schemas.
"""
