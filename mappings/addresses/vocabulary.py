"""The words that mark the parts of an address line in Mexico and Argentina. Data only.

Patterns are for text as `casefold_ascii_same_length` returns it. Compiling them takes a tenth of a second, so the
modules that do are imported when the first address is parsed.
"""

import re

WORD_END = r"(?![a-z0-9])"
NOT_A_CODE = r"(?:[yex]\b|a\s+(?:una?|media|la|el|los|las|dos|tres|\d+\s+(?:cuadras?|metros|mts|casas))\b)"
#: A single letter after a number: not in "B° Norte", "U.H.", "L-4", "12 y 14", "12 a una cuadra".
LETTER = (
    rf"(?!{NOT_A_CODE})"
    r"[a-z](?![a-z0-9°]|\.\s?[a-z]\b|-\d)"
)
ROMAN = r"(?:i{1,3}|iv|vi{0,3}|ix|x)"
COMPASS = r"(?:norte|sur|oriente|poniente|este|oeste|nte|ote|pte)"
MONTH = "(?:enero|febrero|marzo|abril|mayo|junio|julio|agosto|sep?tiembre|octubre|noviembre|diciembre)"
#: 12, 12-B, 123 A, 45 bis, 1234/36, 1.234. "12 y", "12 e/" and "12 x" continue with a crossing street.
NUMBER = (
    rf"\d{{1,6}}(?:\.\d{{3}})?(?:/\d{{1,4}})?(?:-[a-z0-9]{{1,4}})*(?:\s?bis\b(?:-\w{{1,4}})?|\s?{LETTER})?(?![a-z0-9°])"
)
#: The number of a flat: 5, 5 B, 4-B, "C", A-802, 7° "A", II.
UNIT_CODE = (
    rf"[\"']?(?:\d{{1,5}}°?(?:\s?[\"']?{LETTER})?|{ROMAN}|[a-z]\d{{1,4}}|[a-z](?!°|/|\.\s?[a-z]\b))"
    rf"(?:[-/](?:\d{{1,4}}[a-z]?|[a-z]\d{{0,3}}))?°?[\"']?{WORD_END}"
)
NUMBER_PREFIX = r"\.?\s*(?:n°|no\.|\#)?\s*"

#: Words for kinds of streets.
STREET_KIND = r"""(?:
    calles?|c|avenida|avda|ave|av|boulevard|bulevar|blvd|boul|bv|diagonal|diag|pasaje|pje|psje|prolongacion|prol|
    privada|priv|cerrada|cda|calzada|calz|circuito|cto|retorno|ret|andador|and|callejon|eje|camino|carretera|carr|
    carril|ruta|autopista|autovia|periferico|paseo|p\.?°|via|viaducto|libramiento|anillo|vereda|rinconada|colectora|
    transversal|costanera|lateral|acceso|glorieta|plaza|antigua|subida|peatonal|panamericana
)\b"""
#: Kinds that are followed by a number as their name, and then by the door's: "Calle 12 345", "Diagonal 74 1234".
NUMBERED_KIND = r"(?:calle|c|avenida|avda|ave|av|diagonal|diag|boulevard|blvd|bv)\b\.?"
#: Words that take a number as their name, so that a number after them is not the door's.
NUMBERED_WORDS = """
    and andador apartado apdo autopista autovia av avda ave avenida block bloque blvd bodega boulevard box bulevar bv c
    calle calz calzada camino carr carretera casa catastral cda cerrada chacra circuito coto cto cuadra cuerpo
    departamento depto diag diagonal dpto dto duplex edif edificio eje entrada escalera etapa fase grupo int interior km
    local lote lt manzana modulo monoblock monoblok mz mza nave nivel nudo of oficina parcela pasaje ph piso pje postal
    predio priv privada prol prolongacion reg region ret retorno rn rp rta ruta secc seccion sector sm stand suite
    supermanzana tablaje tira torre transversal uf unidad vereda via villa zona
"""
NAMED_BY_NUMBER = frozenset(NUMBERED_WORDS.split())

UNIT = rf"""(?:
    (?:n[ou]m\.?\s*|no\.?\s*|n°\s*)?(?:interior|interno|int)\b{NUMBER_PREFIX}:?\s*{UNIT_CODE}
  | (?:departamento|depto|dpto|dept|dpt|depa|dep|dto|apartamento|apto)\b{NUMBER_PREFIX}
        (?:{UNIT_CODE}|(?:pb|interno|fondo|frente|contrafrente|unico)\b(?:\s+{UNIT_CODE})?)
  | d-{UNIT_CODE} | l-\d+ | p\.?\s?\d{{1,2}}\s*(?:d\.?\s?{UNIT_CODE})
  | (?:piso|oficina|ofna|ofic|of|despacho|desp|suite|unidad|u\.?\s?f|vivienda|viv|cochera|consultorio|habitacion|nivel
        |modulo|mod|stand|box|planta|unidad\s+funcional|cabana|cuarto)
        \b{NUMBER_PREFIX}{UNIT_CODE}(?:\s+y\s+{UNIT_CODE})?
  | (?:local|loc|bodega|nave)\b{NUMBER_PREFIX}{UNIT_CODE}(?:\s+y\s+{UNIT_CODE})?
  | (?:casa|duplex|torre|edificio|edif|cuerpo|cpo|entrada|ent|escalera|esc|ala|tira|nudo|block|bloque|monobloc?k)
        \b\.?\s*(?:n°|\#)?\s*(?:{UNIT_CODE}|norte{WORD_END}|sur{WORD_END})
  | (?:p\.\s?b\.?|p\.\s?a\.?)(?![a-z])(?:\s*(?!{NOT_A_CODE}){UNIT_CODE})?
  | (?:pb|planta\s+baja|planta\s+alta|primer\s+piso|ph|pa|ep|entrepiso|mezzanine|altos|bajos)\b(?:\s+(?:dto|int)\.?)?
        (?:[\s-]*(?!{NOT_A_CODE}){UNIT_CODE})?
  | (?:contrafrente|pasillo|fondo|subsuelo|terraza)\b | frente\b(?!\s+al?\b)
  | (?:primer|primero|segundo|tercer|tercero|cuarto|quinto|sexto|septimo|octavo|noveno|decimo)
        (?:\s+piso\b(?:\s+{UNIT_CODE})?|\s+{UNIT_CODE})
  | \d{{1,2}}(?:°|(?:ero|er|ro|do|to|mo|vo|no|o(?=\.?\s*piso))(?![a-z]))
        (?!\.?\s*(?:de|sect|secc|etapa|sector|seccion)\b)
        \.?\s*-?\s*(?:(?:piso|p)\b)?\s*(?:(?:depto|dpto|dto)\b{NUMBER_PREFIX})?(?:(?!{NOT_A_CODE}){UNIT_CODE})?
  | (?:(?<=[\d,-]\s)|(?<=bis\s)|(?<=\d\s[a-z]\s)|(?<=\d[a-z]\s)|(?<=-[a-z]\s))\d{{1,2}}\s+piso\b(?!\s+\d)
)"""
#: A building by its name: "Torre Mayor", "Edif. Centauro". It ends at a comma.
BUILDING = (
    r"(?:torre|edificio|edif|condominio|cond|galeria|complejo|fonavi)\b\.?"
    r"(?:\s+(?!(?:piso|depto|dpto|casa|int|local|torre|entrada|entre|oficina)\b)[a-z']{2,}\.?){0,3}"
    r"(?:\s+(?:[a-z]-?\d{1,4}|\d{1,4}[a-z]?)(?![a-z0-9]))?"
)
BLOCK_WORD = r"(?:manzana|mzna|mza|mz)\b\.?"
LOT_WORD = r"(?:lote|lte|lt)\b\.?"
PLOT_CODE = rf"(?:\d{{1,4}}(?:\s?(?![cl]\b){LETTER})?|[a-z](?!\.\s?[a-z]\b))(?![a-z0-9°])"
BLOCK_AND_LOT = rf"""(?:
    {BLOCK_WORD}\s*-?\s*{PLOT_CODE}\s*[,-]?\s*(?:{LOT_WORD}|parcela\b|pc\b\.?)\s*-?\s*{PLOT_CODE}
  | m\s?-?\s?\d{{1,3}}\s*,?\s*[lc]\s?-?\s?\d{{1,3}}{WORD_END}
)"""
BLOCK_AND_HOUSE = rf"{BLOCK_WORD}\s*-?\s*{PLOT_CODE}\s*,?\s*casa\s*-?\s*{PLOT_CODE}"
BLOCK_OR_LOT = rf"(?:{BLOCK_WORD}|{LOT_WORD})\s*-?\s*{PLOT_CODE}"

KILOMETRE = r"km\b\.?\s*\d+(?:[.,+]\d+)?½?"
NO_NUMBER = r"(?:\bs\s?/\s?n(?:°|\b)\.?|\bsin\s+n[uo]m(?:ero)?\b\.?|\bsn\b)"
DOOR_MARK = r"""(?:
    (?:\#|\bn°|\bn[ou]m(?:ero)?\b|\bnro\b|\bno\b|\bn(?=\s?\d))[.:]?\s*(?:ext(?:erior)?\b\.?)?\s*[.:]?\s*\#?\s*
  | \bext(?:erior)?\b\.?\s*(?:\#|no\.?)?\s*
  | \baltura\s+ | \bal\s+(?=\d{2,5}(?![a-z0-9]))
)"""
DOOR = rf"{DOOR_MARK}{NUMBER}"

NUMERIC_STREET = r"(?:calles?\s+)?\d+[a-z]{0,2}(?:\s?-\s?[a-z]\b|\s+bis\b)?"
CROSSING = rf"""(?:
    (?:\bentre\s+|\be/\s?)(?:av\.?\s+)?{NUMERIC_STREET}\s+y\s+{NUMERIC_STREET}(?:\s+(?:{COMPASS}|av\b\.?))?
  | \b(?:x|por)\s+{NUMERIC_STREET}(?:\s+[yx]\s+{NUMERIC_STREET})?
)"""
COLOUR = "(?:azul|blanc[ao]|verde|roj[ao]|rosa|gris|amarill[ao]|negr[ao]|beige|naranja|cafe|marron|celeste)"
REFERENCE = r"""(?:
    \bentre\b | \be/ | \bcasi\b | \besq(?:uina)?\b
  | \bporton\b | \bcancel\b | \brejas?\b | \bzaguan\b | \bfachada\b
  | \bpuertas?\s+(?:{colour}|principal|lateral|chica|grande|de\s+(?:madera|metal|fierro|lamina|cristal|vidrio))\b
  | \bcasa\s+(?:de|con|color|{colour})\b
  | \btimbre\b | \btocar\b | \bllamar\b | \bdejar\b | \breferencias?\b | \bref\b
  | \btel(?:efono)?\b | \bcel(?:ular)?\b | \bwhats(?:app)?\b | \bwsp\b | \batencion\b | \bs(?:r|ra|rta)\b | \bex\b
  | \b(?:en)?frente\s+al?\b | \benfrente\b | \ba\s+un\s+lado\b | \bal\s+(?:lado|fondo|final)\b | \bjunto\s+a\b
  | \bcerca\b | \batras\b | \bdetras\b | \b(?:ante|despue)s\s+de\b
  | \ba\s+(?:una|media)\b | \ba\s+\d+\s+(?:metros|cuadras|mts)\b
  | \balc(?:aldia)?\b | \bdel\.(?=\s) | \bdelegacion\b | \bmpio\b | \bmunicipio\b
  | \bparque\s+industrial\b | \bparaje\b | \bplaza\s+(?=[a-z]) | \bcentro\s+comercial\b | \bshopping\b
  | \bcentral\s+de\s+abastos?\b
  | \b(?:mercado|muelle|hotel|hospital|farmacia|escuela|primaria|secundaria|negocio|tienda|taller|restaurante?|clinica
        |iglesia|banco|gimnasio|salon|papeleria|ferreteria|panaderia|rotiseria|kiosco|quiosco|abarrotes|oxxo
        |gasolinera)\b
)""".replace("{colour}", COLOUR)
DISTRICT_MARK = r"(?:\bcol(?:onia)?\b\.?|\bbarrio\b(?:\s+de\b(?!\s+(?:la|los|las|el)\b))?|\bb°|\bbo\.)"
#: Words that are part of a neighbourhood's name.
DISTRICT_KIND = r"""(?:
    \bfracc(?:ionamiento)?\b\.? | \bu\.?\s?h\b\.? | \bunidad\s+hab(?:itacional)?\b\.? | \bu\.\s?hab\b\.?
  | \bs\.?m\b\.?\s?\d+{end} | \bsupermanzana\s+\d+{end} | \bregion\s+\d+{end} | \bchacra\s+\d+(?:-\d+)?{end}
  | \bresidencial\b | \bresid\. | \bzona\s+(?=[a-z]) | \bejido\b | \bcountry\b | \bclub\s+de\s+campo\b | \bfinca\b
  | \binfonavit\b | \bpueblo\b | \brancho\b
  | ^villa\s+(?=\d) | \bcoto\b | \bhacienda\b | \bex\s?hacienda\b | \bpoblado\b
)""".replace("{end}", WORD_END)
POSTCODE = r"(?:\bc\.?\s?p\b\.?:?\s*\d{4,5}\b|\b[a-hj-np-z]\d{4}[a-z]{3}\b)"
PARENTHESIS = r"\([^()]*\)"

#: Kinds of tokens, in order of precedence.
TOKEN_KINDS = {
    "parenthesis": PARENTHESIS,
    "postcode": POSTCODE,
    "crossing": CROSSING,
    "reference": REFERENCE,
    "plot": BLOCK_AND_LOT,
    "house": BLOCK_AND_HOUSE,
    "lot": BLOCK_OR_LOT,
    "kilometre": rf"\b{KILOMETRE}",
    "absent": NO_NUMBER,
    "unit": rf"(?<![a-z0-9/]){UNIT}",
    "building": rf"\b{BUILDING}",
    "district": DISTRICT_MARK,
    "named_district": DISTRICT_KIND,
    "door": DOOR,
}
TOKEN_PATTERN = re.compile("|".join(f"(?P<{kind}>{pattern})" for kind, pattern in TOKEN_KINDS.items()), re.VERBOSE)
#: Kinds that extend to the next comma or token.
OPEN_ENDED_KINDS = frozenset({"reference", "district", "named_district"})
SEPARATOR = re.compile(r"\s*[,;]\s*|\s+-+\s+|\s+-(?=\S)")
