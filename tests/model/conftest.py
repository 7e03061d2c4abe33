"""Registers the profile of the longer run: `MINUTES=10 pytest tests/model --hypothesis-profile=long`."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "long",
    max_examples=50,  # repeated until the minutes are over
    stateful_step_count=60,
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)
