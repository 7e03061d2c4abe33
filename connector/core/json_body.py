"""The JSON parser of everything that comes in: webhooks, stored payloads and responses.

What it accepts can be stored, mapped, shown and written again: no lone surrogates, no infinite numbers, no deep
nesting. The same bytes give the same value wherever they are read.
"""

import json
import math
import re
from typing import Any

import orjson

#: Levels of objects and lists: orjson writes no more. An order has about ten, and Python's recursion limit is 1000.
#: https://github.com/ijl/orjson#serialize, read 2026-11-30.
MAX_DEPTH = 254
#: Decimal digits of an integer that always fits into 64 bits.
EXACT_INTEGER_DIGITS = 18
#: An escape sequence. The second group is half of a surrogate pair.
ESCAPE = re.compile(
    r"\\(?:(u[dD][89aAbB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)


class InvalidJsonError(ValueError):
    """The bytes are not JSON, or are nested too deeply. The message quotes nothing of them."""


def parse_json(body: bytes) -> Any:
    """Return the value in `body`. Raises `InvalidJsonError`."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        value = parse_unusual_json(body)
    if not is_shallow(body, value):
        raise InvalidJsonError(f"the body is nested more than {MAX_DEPTH} levels deep")
    return value


def parse_unusual_json(body: bytes) -> Any:
    """Return the value in JSON that orjson rejects, although stores send it.

    That is a byte order mark, half of a surrogate pair, which becomes a blank, and a number that no float can hold,
    which becomes text.
    """
    try:
        text = body.decode().removeprefix("\ufeff")
        return json.loads(
            ESCAPE.sub(lambda match: " " if match[2] else match[0], text),
            parse_int=parse_integer,
            parse_float=parse_number,
            parse_constant=reject_constant,
        )
    except (ValueError, RecursionError):  # UnicodeDecodeError is a ValueError
        raise InvalidJsonError("the body is not JSON") from None  # the cause's text quotes the body


def is_shallow(body: bytes, value: Any) -> bool:
    """Return whether objects and lists are nested at most `MAX_DEPTH` levels deep.

    orjson refuses to write more, and finds that out in a fraction of the time that Python takes to look.
    """
    if body.count(b"[") + body.count(b"{") <= MAX_DEPTH:
        return True
    try:
        orjson.dumps(value)
    except orjson.JSONEncodeError:
        return False
    return True


def parse_integer(text: str) -> int | float | str:
    return int(text) if len(text) <= EXACT_INTEGER_DIGITS else parse_number(text)


def parse_number(text: str) -> float | str:
    number = float(text)
    return number if math.isfinite(number) else text


def reject_constant(name: str) -> None:
    raise ValueError(name)  # RFC 8259 §6 has neither NaN nor Infinity
