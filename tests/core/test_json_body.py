"""The JSON that is accepted, and that the rest of the program can work with whatever it is."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.json_body import MAX_DEPTH, InvalidJsonError, parse_json


def nested(levels: int) -> bytes:
    return b"[" * levels + b"]" * levels


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"a": [1, 1.5, "\\ud83d\\ude00", null, true]}', {"a": [1, 1.5, "\U0001f600", None, True]}),
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        (b'"sin \\ud83d"', "sin  "),
        (b'{"\\uDE00": "\\ud83d\\u00e9\\ud83d\\ude00\\ud83d"}', {" ": " \u00e9\U0001f600 "}),
        (b'["\\\\ud83d", "\\ud83d"]', ["\\ud83d", " "]),
        (b"[18446744073709551616, 1e999]", [18446744073709551616.0, "1e999"]),
        (b"[1, 123456789012345678, 1" + b"0" * 5000 + b"]", [1, 123456789012345678, "1" + "0" * 5000]),
        (b"18446744073709551616", 18446744073709551616.0),
    ],
)
def test_what_stores_send_is_parsed(body: bytes, value: Any) -> None:
    parsed = parse_json(body)
    assert parsed == value
    assert repr(parsed) == repr(value)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"NaN", b"[-Infinity]", b'"\xff"', b'{"a": \\ud83d}', b"\x00", b'"\\ud83d', b"\xed\xa0\xbd"]
)
def test_what_is_not_json_is_an_error_that_quotes_nothing(body: bytes) -> None:
    with pytest.raises(InvalidJsonError) as raised:
        parse_json(body)
    assert str(raised.value) == "the body is not JSON"
    assert raised.value.__suppress_context__


def test_levels_up_to_the_limit_are_accepted() -> None:
    assert json.dumps(parse_json(nested(MAX_DEPTH))).encode() == nested(MAX_DEPTH)


@pytest.mark.parametrize("levels", [MAX_DEPTH + 1, 1000, 1020, 100_000])
def test_deep_nesting_is_refused(levels: int) -> None:
    for body in (nested(levels), nested(levels).replace(b"[]", b'["\\ud83d"]')):
        with pytest.raises(InvalidJsonError):
            parse_json(body)


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner, max_size=3)),
    max_leaves=8,
)


@given(json_values, st.booleans())
def test_whatever_is_accepted_can_be_encoded(value: Any, is_ascii: bool) -> None:
    body = json.dumps(value, ensure_ascii=is_ascii).encode(errors="surrogatepass")
    try:
        parsed = parse_json(body)
    except InvalidJsonError:
        return
    assert json.loads(json.dumps(parsed, ensure_ascii=False).encode()) == parsed
    orjson.dumps(parsed)
