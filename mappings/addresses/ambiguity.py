"""Why an address line can be read in more than one way, and the readings, as phrases that can be translated."""

from collections.abc import Mapping, Sequence

from mappings.labels import N_, Translate, untranslated

#: Code -> phrase. `%(text)s` is the part of the line that it is about.
REASONS: Mapping[str, str] = {
    "no_street": N_("no street was recognised"),
    "two_numbers": N_("two numbers may be the door's"),
    "number_or_street_name": N_("the number may be the door's or the street's name"),
    "number_or_other_street": N_("the number may be the door's or the other street's name"),
    "number_may_be_name": N_("the number may be the street's name"),
    "flat_without_door": N_("a flat is named, but no door number"),
    "not_a_street": N_("neither a street type nor a number shows that it is a street"),
    "district_and_more": N_("“%(text)s” names a neighbourhood and something else"),
    "may_hold_district": N_("“%(text)s” may contain a neighbourhood"),
    "several_meanings": N_("“%(text)s” may be more than one thing"),
}
#: One way to read the line: street, number and rest, as far as it has them.
Reading = tuple[str, ...]
READING_TEMPLATES = (
    N_("a place without a street"),
    N_("street “%(street)s” without a number"),
    N_("street “%(street)s”, number “%(number)s”"),
    N_("street “%(street)s”, number “%(number)s”, then “%(rest)s”"),
)
ALTERNATIVE = N_("%(reading)s; or %(other)s")


def render_reason(reason: Sequence[str], translate: Translate = untranslated) -> str:
    """Render a reason.

    Args:
        reason: a code of `REASONS`, then the text that it is about, if any.
    """
    return translate(REASONS[reason[0]]) % {"text": reason[1] if len(reason) > 1 else ""}


def render_readings(readings: Sequence[Sequence[str]], translate: Translate = untranslated) -> str:
    first, *others = [
        translate(READING_TEMPLATES[len(reading)]) % dict(zip(("street", "number", "rest"), reading, strict=False))
        for reading in readings
    ]
    for other in others:
        first = translate(ALTERNATIVE) % {"reading": first, "other": other}
    return first
