"""Registers `--hypothesis-profile=money`, a longer run with `EXAMPLES` orders of each kind."""

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
