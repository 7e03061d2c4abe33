"""Jobs on the dashboard: what the form promises, what it has a person confirm, and what came of each order."""

import io

import pytest

from connector.database.circuits import pause_account
from connector.database.jobs import list_jobs
from tests.support.jobs import process_jobs
from tests.support.orders import shopify_order
from tests.support.scenarios import lose_a_response, refuse_order, without_colonia
from tests.support.service import Service
from tests.support.visitor import Visitor, text_of

pytestmark = pytest.mark.sqlite  # tests/database/test_jobs.py runs on both engines

SELECTION = "/jobs/new?choice=all&state=parked"


def park_without_colonia(service: Service, *numbers: int) -> None:
    for number in numbers:
        service.post_shopify(without_colonia(number))
    service.drain()


def states(service: Service) -> list[str]:
    return [delivery["state"] for delivery in service.deliveries()]


def test_form_says_what_each_action_would_do(service: Service, ana: Visitor) -> None:
    lose_a_response(service, "rayo")
    refuse_order(service, 7, 8)
    page = text_of(ana.get(SELECTION))
    assert "Act on 3 orders" in page
    assert "2 orders would be queued and sent. 2: refused 1 is skipped: uncertain: check at the destination" in page
    assert "3 orders would be changed. 2: refused 1: uncertain" in page
    assert "Send also the uncertain order: I looked for it at its destination, and it is not there." in page


def test_form_takes_all_that_match_and_not_only_a_page(service: Service, ana: Visitor) -> None:
    park_without_colonia(service, *range(1, 62))
    page = text_of(ana.get("/jobs/new?choice=all&state=parked&reason=unmappable&problem=missing:ship_to/district"))
    assert "Act on 61 orders" in page
    assert "Shipping address > neighbourhood is missing." in page
    ana.post("/jobs", state="parked", reason="unmappable", problem="missing:ship_to/district")
    process_jobs(service)
    assert set(states(service)) == {"waiting"}


def test_form_says_how_many_could_be_sent_now(service: Service, ana: Visitor) -> None:
    park_without_colonia(service, 1, 2)
    page = text_of(ana.get("/jobs/new/mapping?choice=all&state=parked"))
    assert "0 have everything that their destination needs" in page
    assert "2 would be parked again 2: Shipping address > neighbourhood is missing." in page
    assert states(service) == ["parked", "parked"]


def test_overview_leads_to_the_form_of_a_cause(service: Service, ana: Visitor) -> None:
    refuse_order(service, 7)
    link = "/jobs/new?state=parked&amp;reason=refused&amp;error=http_status:+422"
    assert link in ana.get("/").text
    assert "Act on 1 order parked: refused status 422" in text_of(ana.get(link.replace("&amp;", "&")))


@pytest.mark.parametrize(
    ("form", "state"),
    [
        ({"action": "discard"}, "discarded"),
        ({"action": "mark-delivered", "without_id": "yes"}, "delivered"),
        ({"action": "retrigger", "looked": "yes"}, "waiting"),
    ],
)
def test_actions_that_cannot_be_undone_need_a_note(
    service: Service, ana: Visitor, form: dict[str, str], state: str
) -> None:
    lose_a_response(service, "rayo")
    assert ana.post("/jobs", state="parked", **form).status_code == 400
    assert ana.post("/jobs", state="parked", note="seen in the panel", **form).status_code == 302
    process_jobs(service)
    assert states(service) == [state]


def test_orders_are_marked_as_delivered_only_by_saying_that_there_are_no_ids(service: Service, ana: Visitor) -> None:
    refuse_order(service, 7)
    assert ana.post("/jobs", state="parked", action="mark-delivered", note="by hand").status_code == 400


def remote_ids(service: Service) -> dict[str, str | None]:
    return {delivery["order_number"]: delivery["remote_id"] for delivery in service.deliveries()}


MARK = {"action": "mark-delivered", "state": "parked", "note": "booked by hand"}


def test_orders_are_marked_as_delivered_with_the_ids_that_were_pasted(service: Service, ana: Visitor) -> None:
    refuse_order(service, 7, 8, 9)
    file = (io.BytesIO(b"9;L-9\r\n"), "ids.csv")
    response = ana.post("/jobs", **MARK, remote_ids="7; L-7\r\n#8; L-8", remote_ids_file=file)
    assert response.status_code == 302
    assert "3 IDs at the destination are entered." in text_of(ana.get(response.headers["Location"]))
    process_jobs(service)
    assert states(service) == ["delivered"] * 3
    assert remote_ids(service) == {"7": "L-7", "8": "L-8", "9": "L-9"}


def test_lines_that_do_not_fit_the_orders_change_nothing(service: Service, ana: Visitor) -> None:
    refuse_order(service, 7, 8)
    lines = "7, L-7\n7, L-70\n99, L-99\n8"
    response = ana.post("/jobs", **MARK, remote_ids=lines)
    assert response.status_code == 400
    assert "Line 4 is not an order number and an ID at the destination" in response.text
    response = ana.post("/jobs", **MARK, remote_ids=lines.removesuffix("\n8"))
    assert response.status_code == 400
    assert "Line 2: order “7” is in an earlier line." in response.text
    assert "Line 3: none of the orders has the number “99”." in response.text
    assert "No line names 1 of the orders" in response.text
    assert "99, L-99" in response.text  # what was typed is still there
    assert list_jobs(service.database, limit=1) == []


def test_orders_without_a_line_are_marked_only_by_saying_so(service: Service, ana: Visitor) -> None:
    refuse_order(service, 7, 8)
    assert ana.post("/jobs", **MARK, remote_ids="7, L-7", without_id="yes").status_code == 302
    process_jobs(service)
    assert states(service) == ["delivered"] * 2
    assert remote_ids(service) == {"7": "L-7", "8": None}


@pytest.mark.parametrize("form", [{"choice": "selected"}, {"state": "delivered"}, {"action": "launch"}])
def test_selection_without_orders_that_may_change_is_refused(
    service: Service, ana: Visitor, form: dict[str, str]
) -> None:
    service.post_shopify(shopify_order(1))
    service.drain()
    assert ana.post("/jobs", note="x", **form).status_code == 400
    assert service.api("/jobs").json["items"] == []


def test_search_term_selects_its_orders(service: Service, ana: Visitor) -> None:
    park_without_colonia(service, 1, 2)
    ana.post("/jobs", q="#2", state="parked")
    process_jobs(service)
    assert states(service) == ["parked", "waiting"]


def test_page_of_a_job_shows_what_came_of_each_order(service: Service, ana: Visitor) -> None:
    lose_a_response(service, "rayo")
    refuse_order(service, 7, 8, 9)
    location = ana.post("/jobs", state="parked", note="the key is right now").headers["Location"]
    assert location == "/jobs/1?state=parked"
    page = text_of(ana.get(location))
    assert "4 not reached yet" in page
    process_jobs(service)
    service.sandbox.inject_fault("lapyme", "status", status=422)
    service.drain()
    page = text_of(ana.get(location))
    assert "Done." in page
    assert "2 delivered 1 parked: refused again refused (HTTP 422)" in page
    assert "1 skipped uncertain: check at the destination #1001" in page
    assert "ana" in page
    assert "the key is right now" in page
    assert "Job 1 the key is right now" in text_of(ana.get("/audit"))
    assert "1: retrigger finished 3 / 4 1 ana" in text_of(ana.get("/jobs"))
    assert "Job: 1" in text_of(ana.get("/deliveries?job=1&state=parked"))


def test_page_of_a_job_says_for_which_account_orders_wait(service: Service, ana: Visitor) -> None:
    refuse_order(service, 7)
    pause_account(service.database, "erp", actor="ana", note=None)
    pause_account(service.database, "bodega", actor="ana", note=None)
    ana.post("/jobs", state="parked")
    process_jobs(service)
    page = text_of(ana.get("/jobs/1"))
    assert "1 waiting erp: waits: the account is paused" in page
    assert "bodega:" not in page


def test_job_is_stopped_and_continued(service: Service, ana: Visitor) -> None:
    refuse_order(service, 7)
    ana.post("/jobs", state="parked")
    ana.post("/jobs/1/stop", state="parked")
    process_jobs(service)
    assert states(service) == ["parked"]
    assert "Stopped." in text_of(ana.get("/jobs/1"))
    ana.post("/jobs/1/resume")
    process_jobs(service)
    assert states(service) == ["waiting"]
