"""What problems have in common: their text without what the order says, so that like ones are told together."""

import re
from collections.abc import Iterable

from mappings.lookup_tables import ADD_ROW

#: Values that a problem quotes, in its own quotes or in a table's.
QUOTED = re.compile(r"“[^“”]*”|\"[^\"]*\"")
STRAY = re.compile('[“”"]')
HIDDEN = "“…”"
LONGEST = 300


def hide_values(problem: str) -> str:
    """The problem without the values that it quotes: nobody's data is left, only what is wrong with which field."""
    problem, add_row, _ = problem.partition(ADD_ROW)  # the row itself is for whoever opens the delivery
    hidden = QUOTED.sub("\0", problem)
    if STRAY.search(hidden) or hidden.count("\0") > 1:  # several readings, or a value that holds quotes itself
        before, _, _ = problem.partition(min(STRAY.findall(problem), key=problem.index))
        hidden = f"{before}\0 has to be looked at."
    if add_row:
        hidden = f"{hidden.removesuffix('.')}: a row is missing in a table."
    return hidden.replace("\0", HIDDEN)[:LONGEST]


def name_cause(problems: Iterable[str]) -> str:
    """What a delivery's problems come to; the same text for all deliveries that fail alike."""
    return " ".join(dict.fromkeys(map(hide_values, problems)))[:LONGEST]
