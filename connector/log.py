"""Sets up logging, on standard error: key=value on a terminal, JSON elsewhere. Standard output is for answers."""

import logging
import sys

import structlog


def set_up_log(*, quiet: bool = False) -> None:
    """`quiet` lets warnings and worse through alone."""
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING if quiet else logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,  # making one anew takes as long as writing the line
    )
