"""What problems have in common: their text without what the order says, so that like ones are told together."""

import re
from collections.abc import Iterable

from mappings.lookup_tables import ADD_ROW_MARKER

#: Values that a problem quotes, in its own quotes or in a table's.
QUOTED_VALUE = re.compile(r"“[^“”]*”|\"[^\"]*\"")
STRAY_QUOTE = re.compile('[“”"]')
REDACTED = "“…”"
MAX_LENGTH = 300


def redact_values(problem: str) -> str:
    """The problem without the values that it quotes: nobody's data is left, only what is wrong with which field."""
    problem, add_row, _ = problem.partition(ADD_ROW_MARKER)  # the row itself is for whoever opens the delivery
    redacted = QUOTED_VALUE.sub("\0", problem)
    if (
        STRAY_QUOTE.search(redacted) or redacted.count("\0") > 1
    ):  # several readings, or a value that holds quotes itself
        before, _, _ = problem.partition(min(STRAY_QUOTE.findall(problem), key=problem.index))
        redacted = f"{before}\0 has to be looked at."
    if add_row:
        redacted = f"{redacted.removesuffix('.')}: a row is missing in a table."
    return redacted.replace("\0", REDACTED)[:MAX_LENGTH]


def fingerprint_problems(problems: Iterable[str]) -> str:
    """What a delivery's problems come to; the same text for all deliveries that fail alike."""
    return " ".join(dict.fromkeys(map(redact_values, problems)))[:MAX_LENGTH]
