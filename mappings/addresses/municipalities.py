"""Municipalities of the large urban areas, which people write after a neighbourhood or instead of one. Data only.

Mexico: the boroughs of the capital, and municipalities that share a metropolitan area with a larger city
(https://www.gob.mx/conapo/documentos/las-metropolis-de-mexico-2020). Argentina: the partidos around Buenos
Aires, and those that share an agglomeration with a larger city (https://www.indec.gob.ar). Unverified: not compared
with those lists. A name that is not here is treated as a neighbourhood.
"""

from mappings.text import casefold_ascii_same_length

#: Official name of the state -> municipalities.
MUNICIPALITIES_BY_STATE = {
    "Ciudad de México": """
        Álvaro Obregón, Azcapotzalco, Benito Juárez, Coyoacán, Cuajimalpa, Cuajimalpa de Morelos, Cuauhtémoc,
        Gustavo A. Madero, Gustavo A Madero, GAM, Iztacalco, Iztapalapa, La Magdalena Contreras, Magdalena Contreras,
        Miguel Hidalgo, Milpa Alta, Tláhuac, Tlalpan, Venustiano Carranza, Xochimilco""",
    "México": """
        Atizapán, Atizapán de Zaragoza, Chalco, Chicoloapan, Chimalhuacán, Coacalco, Coacalco de Berriozábal,
        Cuautitlán, Cuautitlán Izcalli, Ecatepec, Ecatepec de Morelos, Huehuetoca, Huixquilucan, Ixtapaluca, La Paz,
        Naucalpan, Naucalpan de Juárez, Neza, Nezahualcóyotl, Nicolás Romero, Tecámac, Teoloyucan, Tepotzotlán, Texcoco,
        Tlalnepantla, Tlalnepantla de Baz, Tultepec, Tultitlán, Valle de Chalco, Zumpango, Lerma, Metepec,
        San Mateo Atenco, Zinacantepec, Xonacatlán""",
    "Jalisco": """
        El Salto, Ixtlahuacán de los Membrillos, Juanacatlán, San Pedro Tlaquepaque, Tlajomulco, Tlajomulco de Zúñiga,
        Tlaquepaque, Tonalá, Zapopan""",
    "Nuevo León": """
        Apodaca, Cadereyta, Cadereyta Jiménez, Ciénega de Flores, El Carmen, García, General Escobedo, Escobedo,
        Guadalupe, Juárez, Pesquería, Salinas Victoria, San Nicolás, San Nicolás de los Garza, San Pedro,
        San Pedro Garza García, Santa Catarina, Santiago""",
    "Puebla": "Amozoc, Coronango, Cuautlancingo, San Andrés Cholula, San Pedro Cholula, Cholula",
    "Querétaro": "Corregidora, El Marqués, Huimilpan",
    "Morelos": "Jiutepec, Temixco, Yautepec, Emiliano Zapata, Xochitepec",
    "Veracruz": "Boca del Río, Medellín, Alvarado",
    "Yucatán": "Umán, Kanasín, Conkal",
    "San Luis Potosí": "Soledad, Soledad de Graciano Sánchez",
    "Aguascalientes": "Jesús María",
    "Hidalgo": "Mineral de la Reforma",
    "Tamaulipas": "Ciudad Madero, Altamira",
    "Coahuila": "Ramos Arizpe",
    "Durango": "Gómez Palacio, Lerdo",
    "Baja California": "Playas de Rosarito, Rosarito",
    "Oaxaca": "Santa Lucía del Camino, Santa Cruz Xoxocotlán",
    "Zacatecas": "Guadalupe",
    "Colima": "Villa de Álvarez",
    "Buenos Aires": """
        Almirante Brown, Avellaneda, Berazategui, Berisso, Cañuelas, Ensenada, Escobar, Esteban Echeverría, Ezeiza,
        Florencio Varela, General Rodríguez, General San Martín, Hurlingham, Ituzaingó, José C. Paz, La Matanza, Lanús,
        Lomas de Zamora, Luján, Malvinas Argentinas, Marcos Paz, Merlo, Moreno, Morón, Pilar, Presidente Perón, Quilmes,
        San Fernando, San Isidro, San Miguel, San Vicente, Tigre, Tres de Febrero, Vicente López""",
    "Mendoza": "Godoy Cruz, Guaymallén, Las Heras, Luján de Cuyo, Maipú",
    "San Juan": "Chimbas, Pocito, Rawson, Rivadavia, Santa Lucía",
    "Santa Fe": "Funes, Granadero Baigorria, Pérez, Roldán, Villa Gobernador Gálvez, San Lorenzo, Santo Tomé",
    "Tucumán": "Yerba Buena, Banda del Río Salí, Tafí Viejo",
    "Córdoba": "Carlos Paz, Villa Carlos Paz, Villa Allende, La Calera",
    "Neuquén": "Plottier, Centenario",
    "Misiones": "Garupá",
}


def _normalize_names(names: str) -> frozenset[str]:
    return frozenset(casefold_ascii_same_length(" ".join(name.split())) for name in names.split(","))


#: State -> municipalities, normalized by `casefold_ascii_same_length`.
MUNICIPALITIES = {
    casefold_ascii_same_length(state): _normalize_names(names) for state, names in MUNICIPALITIES_BY_STATE.items()
}
