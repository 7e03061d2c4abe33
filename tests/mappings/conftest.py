"""Registers the longer run of the money, `--hypothesis-profile=money`: so many `EXAMPLES` of each kind of order."""

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "money",
    max_examples=int(os.environ.get("EXAMPLES", "20000")),
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)
