"""The reader's language and time zone."""

import re
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest

from connector.database.models import Event
from tests.support.orders import woo_order
from tests.support.rows import execute_statements, update_row
from tests.support.service import Service
from tests.support.visitor import Visitor, text_of, visit

pytestmark = pytest.mark.sqlite


def heading(visitor: Visitor, path: str = "/") -> str:
    match = re.search(r"<h1>([^<]+)</h1>", visitor.get(path).text)
    assert match is not None
    return match[1]


def test_chosen_language_wins_over_the_browsers(ana: Visitor) -> None:
    assert heading(ana) == "Overview"
    response = ana.post("/settings/language", language="es", next="/stores?x=1")
    assert (response.status_code, response.headers["Location"]) == (302, "/stores?x=1")
    assert heading(ana) == "Resumen"
    ana.post("/settings/language", language="en")
    ana.language = "es-MX"
    assert heading(ana) == "Overview"


def test_language_can_be_chosen_before_signing_in(service: Service) -> None:
    stranger = visit(service)
    stranger.post("/settings/language", language="es", next="/login")
    assert heading(stranger, "/login") == "Iniciar sesión"


def test_language_switch_leads_to_no_other_site(ana: Visitor) -> None:
    assert ana.post("/settings/language", language="es", next="//example.com").headers["Location"] == "/"
    assert ana.post("/settings/language", language="fr").status_code == 400


@pytest.mark.parametrize(("language", "number"), [("es-MX", "1,200"), ("es-AR", "1.200"), ("en", "1,200")])
def test_numbers_are_written_as_in_the_readers_country(
    service: Service, ana: Visitor, language: str, number: str
) -> None:
    service.post_woo(woo_order(1))
    execute_statements(service, update_row(Event, 1, duplicates=1200))
    ana.language = language
    assert number in text_of(ana.get("/events/1"))


def test_times_are_in_the_browsers_zone_until_one_is_chosen(service: Service, ana: Visitor) -> None:
    service.post_woo(woo_order(1))
    assert "Times: UTC+00:00" in text_of(ana.get("/"))
    ana.client.set_cookie("connector_browser_timezone", "America/Mexico_City")
    assert "Times: Mexico City (UTC-06:00)" in text_of(ana.get("/"))
    ana.post("/settings/timezone", timezone="Asia/Kolkata")
    assert "Times: Kolkata (UTC+05:30)" in text_of(ana.get("/"))
    received_at = re.search(r"<dt>Received</dt><dd><time[^>]*>([^<]+)</time>", ana.get("/events/1").text)
    assert received_at is not None
    local = service.clock() + timedelta(hours=5, minutes=30)
    assert received_at[1].startswith(f"{local.day} ")
    assert f" {local:%H}:" in received_at[1]
    ana.post("/settings/timezone", timezone="")
    assert "Times: Mexico City" in text_of(ana.get("/"))


def test_unknown_time_zone_is_refused(ana: Visitor) -> None:
    assert ana.post("/settings/timezone", timezone="Mars/Olympus").status_code == 400
    ana.client.set_cookie("connector_browser_timezone", "../../etc/passwd")
    assert "Times: UTC+00:00" in text_of(ana.get("/"))


@pytest.mark.parametrize("zone", ["America/Mexico_City", "Asia/Kolkata", "Pacific/Auckland"])
def test_dates_in_filters_are_inclusive_and_local(service: Service, ana: Visitor, zone: str) -> None:
    service.post_woo(woo_order(1))
    ana.client.set_cookie("connector_browser_timezone", zone)
    today = service.clock().astimezone(ZoneInfo(zone)).date()

    def is_listed(since: date, until: date) -> bool:
        return ">1</strong>" in ana.get(f"/deliveries?since={since}&until={until}").text

    day = timedelta(days=1)
    assert is_listed(today, today)
    assert not is_listed(today - day, today - day)
    assert not is_listed(today + day, today + day)
    assert "0 in progress" in text_of(ana.get(f"/?day={today - day}"))
    assert "1 in progress" in text_of(ana.get(f"/?day={today}"))
