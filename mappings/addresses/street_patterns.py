"""Regular expressions for a street's name, its number and what follows. Data only."""

import re

from mappings.addresses.vocabulary import COMPASS, DOOR_MARK, MONTH, NUMBER, NUMBERED_KIND, STREET_KIND, UNIT_CODE


def compile_verbose(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.VERBOSE)


STREET_KIND_AT_START = compile_verbose(STREET_KIND)
ORDINAL = r"(?:ra|da|ta|na|va|ma|er|do|ro|to|mo|vo|o|a|°)"
#: Streets whose name holds a number: "5 de Mayo", "11 de Septiembre de 1888"; "11 Sur", "1a. Sur Poniente"; "Calle 12".
DATE_NAME = rf"(?:{STREET_KIND}\.?\s+)?\d{{1,2}}(?:°|ro\.?|o\.?)?\s+de\s+{MONTH}(?:\s+del?\s+\d{{4}})?"
GRID_NAME = rf"(?:{STREET_KIND}\.?\s+)?\d{{1,3}}{ORDINAL}?\.?\s+{COMPASS}(?:\s+{COMPASS})?\b"
NUMBERED_NAME = (
    rf"{NUMBERED_KIND}\s*\d{{1,4}}{ORDINAL}?\b(?:\s?-\s?[a-z]\b|\s(?:bis|1/2|(?![yex]\b)[a-z])\b)?"
    rf"(?:\s+(?:{COMPASS}|diagonal)\b)?"
)
NUMERIC_STREET_NAME = compile_verbose(rf"(?P<date>{DATE_NAME})|(?P<grid>{GRID_NAME})|(?P<numbered>{NUMBERED_NAME})")
#: A street within a text, which a neighbourhood's name never contains.
STREET_WITHIN = compile_verbose(rf"\s(?!c\b){STREET_KIND}\.?\s+\d")
KIND_AND_NUMBER = compile_verbose(rf"{STREET_KIND}\.?\s+(?:{COMPASS}\s+|(?:federal|provincial|nacional)\s+)?\d+[a-z]?")
NUMBERED_ROAD = re.compile(
    r"(?:carretera|carr|ruta|autopista|autovia)\b\.?\s+(?:federal|nacional|provincial|estatal)\s+\d{1,3}"
)
NUMBERED_STREET = compile_verbose(rf"(?:{NUMBERED_KIND}\s*)?\d+")
PLOT_WITHIN = re.compile(r"\s[lcm]\b\.?\s?-?\s?\d")
BARE_NUMBER = re.compile(r"\d{1,4}(?:\s?bis)?")
#: Numbers within a name: "33 Orientales 456", "Convención de 1914 Norte 12", "Humberto 1° 234", "2da Cerrada de X 15".
NUMBER_IN_NAME = rf"""(?:
    \d{{1,2}}(?:{ORDINAL}\.?\s+|\s+(?!{STREET_KIND}|y\b|x\b))[a-z][^\d]*
    | (?:{STREET_KIND}\.?\s+)?[^\d]+\sde\s\d{{4}}(?:\s+[a-z][^\d]*)?
    | (?:{STREET_KIND}\.?\s+)?[^\d]+\s\d°
    | (?:retorno|eje|andador)\s\d{{1,3}}\s(?:{COMPASS}\s)?(?:de\s)?[a-z][^\d]+
)"""
NAME_WITH_NUMBER = compile_verbose(NUMBER_IN_NAME)
DOOR_AND_TAIL = rf"(?P<number>(?!1/2){NUMBER})(?P<tail>(?=[\s,(\"'-]|$).*)"
SECOND_NUMBER = compile_verbose(rf"(?P<name>{NUMBER_IN_NAME})(?<![\s,])[\s,]+{DOOR_AND_TAIL}")
FIRST_NUMBER = re.compile(rf"(?P<name>\D*[^\d\s,#])[\s,]+{DOOR_AND_TAIL}")
NEXT_NUMBER = re.compile(rf"[\s,]+{DOOR_AND_TAIL}")
LEADING_NUMBER = re.compile(DOOR_AND_TAIL)
DOOR_START = compile_verbose(DOOR_MARK)
#: A flat without a word, as in Argentina after the door's number: "5 B", "10D", "02-03", "A" in quotation marks.
BARE_UNIT = re.compile(r"\d{1,2}\s?-?\s?[\"']?(?![yex]\b)[a-z][\"']?|\d{1,2}-\d{1,2}|[\"'][a-z0-9]{1,2}[\"']")
DASHED_UNIT = compile_verbose(UNIT_CODE)
COMPASS_WORD = re.compile(rf"{COMPASS}\.?")
COMPASS_SIGN = re.compile(rf"\(({COMPASS}|[nseo])\)")
CROSSING_STREETS = re.compile(r"(?P<one>.+)\sy\s(?P<other>.+)")
#: A crossing street of three words may be one of two words and its neighbourhood.
LONG_CORNER = compile_verbose(rf"(?:casi\s)?esq(?:uina)?\.?(?:\scon)?(?:\s(?!de\b|con\b|{STREET_KIND})[a-z]+){{3,}}")
#: A neighbourhood's name without a mark: words, and at most the number of a section.
UNMARKED_DISTRICT_NAME = compile_verbose(
    rf"""(?!(?:x|y|e|o|por|con|en|a|al|casa|final|piso|frente|fondo|porton|edificio|edif|esquina|barrio|quinta|depto|dpto
        |dep|dto|depa|departamento|int|interior|interno|local|loc|oficina|of|torre|lote|manzana|mz|mza|unidad|uf|pb
        |ph|pa|ph|block|timbre|entrada|escalera|cuerpo|nivel|nave|bodega|calle|av|avenida|ruta|km|no|num|s|n|ext)\b)
    [a-z][a-z.']*(?:\s[a-z][a-z.']*){{0,5}}(?:\s\d{{1,2}}{ORDINAL}?\.?\s(?:secc|sector|etapa)[a-z]*\.?)?"""
)
