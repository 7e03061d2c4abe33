"""The connector under test: its configuration, processes and reported deliveries."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from string import Template
from typing import Any

import httpx
import psutil

from connector.sandbox.demo_process import find_free_port
from connector.sandbox.server import SandboxServer
from tests.chaos.acts import Incident
from tests.chaos.backups import forget_answers
from tests.chaos.causes import Causes
from tests.chaos.clocks import Clock
from tests.chaos.plan import Act
from tests.chaos.programs import Programs, command_line
from tests.chaos.reported import ReportedAttempt, ReportedDelivery, ReportedEvent
from tests.chaos.shop_apis import ShopApis
from tests.chaos.shops import CAFE, DOBLE, MATE, SECRET, YERBA
from tests.chaos.storefront import PostedEvent
from tests.chaos.verdict import Verdict, judge

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 2.0
LEASE_S = 17  # the least that is allowed with this timeout
ADMIN_TOKEN = 8 * "chaos"
#: How often the shops' orders are read. What the shop changed in the last seconds is left to its webhook.
CATCH_UP_EVERY_S, CATCH_UP_LAG_S, CATCH_UP_OVERLAP_S = 5, 1, 60

CONFIGURATION = Template("""\
[stores.cafe-mx]
storefront = "shopify"
secrets = ["$secret-cafe-mx"]
since = "$since"
api_url = "$cafe_mx"
api_token = "chaos"
$catch_up

[stores.yerba-ar]
storefront = "woocommerce"
secrets = ["$secret-yerba-ar"]
since = "$since"
api_url = "$yerba_ar"
api_token = "ck_chaos:cs_chaos"
$catch_up

[stores.mate-ar]
storefront = "tiendanube"
secrets = ["$secret-mate-ar"]
since = "$since"
store_id = $shop
api_url = "$mate_ar"
api_token = "chaos"
$catch_up

[stores.doble-ar]
storefront = "shopify"
secrets = ["$secret-doble-ar"]
since = "$since"
document_from = "note_attributes:dni"
api_url = "$doble_ar"
api_token = "chaos"
$catch_up

[accounts.bodega]
destination = "rayo"
base_url = "$rayo"
api_key = "chaos"
$common

[accounts.erp]
destination = "lapyme"
base_url = "$lapyme"
api_key = "chaos"
customer_id = "b7d1f0a2-6f0c-4a55-9b1e-2f6a3f1c0d11"
assigned_warehouse_id = "0f4c9a7e-3d52-4f6b-8c21-7a9e5b2d4c33"
$common

[accounts.erp-dos]
destination = "lapyme"
base_url = "$lapyme"
api_key = "chaos-dos"
customer_id = "b7d1f0a2-6f0c-4a55-9b1e-2f6a3f1c0d11"
assigned_warehouse_id = "0f4c9a7e-3d52-4f6b-8c21-7a9e5b2d4c33"
$common

[accounts.hub]
destination = "centelar"
base_url = "$centelar"
connection_id = 1
payment_types = { "offline" = "promissory" }
$common

[accounts.hub-dos]
destination = "centelar"
base_url = "$centelar"
connection_id = 2
$common

[[routes]]
from = "cafe-mx"
to = ["bodega"]

[[routes]]
from = "yerba-ar"
to = ["erp"]

[[routes]]
from = "mate-ar"
to = ["hub"]

[[routes]]
from = "doble-ar"
to = ["erp-dos", "hub-dos"]
""")
#: Delays and pauses that a run of minutes has time for.
COMMON = f"""\
timeout_s = {TIMEOUT_S:g}
retry_first_s = 0.5
retry_max_s = 5
breaker_open_s = 2\
"""


class Connector:
    """`connector serve`, and a second worker beside it that takes over what the first one holds too long."""

    shops = (CAFE, YERBA, MATE, DOBLE)
    needs_repeats = False
    #: Two intervals after the last change of an order, each paid order is on record.
    catch_up_within_s: float = 2 * CATCH_UP_EVERY_S + CATCH_UP_LAG_S
    acts: Sequence[Act] = (
        Act.KILL_WEB,
        Act.KILL_WEB_MASTER,
        Act.KILL_WORKER,
        Act.KILL_SUPERVISOR,
        Act.KILL_ALL,
        Act.STOP_WORKER,
    )
    lease_s: float = LEASE_S
    settled_within_s = 90.0

    def __init__(
        self,
        folder: Path,
        sandbox: SandboxServer,
        apis: ShopApis,
        database_url: str,
        clocks: Mapping[str, Clock],
        *,
        catches_up: bool,
    ) -> None:
        configuration = folder / "connector.toml"
        urls = {name: sandbox.url(name) for name in ("rayo", "lapyme", "centelar")}
        urls |= {shop.store.replace("-", "_"): apis.url(shop.store) for shop in self.shops}
        catch_up = (
            f"catch_up_every_s = {CATCH_UP_EVERY_S if catches_up else 0}\n"
            f"catch_up_lag_s = {CATCH_UP_LAG_S}\ncatch_up_overlap_s = {CATCH_UP_OVERLAP_S}"
        )
        since = datetime.now(UTC) - timedelta(hours=1)  # where the first reading starts
        text = CONFIGURATION.substitute(
            urls,
            secret=SECRET,
            since=f"{since:%Y-%m-%dT%H:%M:%SZ}",
            shop=MATE.api_id,
            common=COMMON,
            catch_up=catch_up,
        )
        configuration.write_text(text, "utf-8")
        port = find_free_port()
        self.url = f"http://127.0.0.1:{port}"
        connector = [sys.executable, "-m", "connector"]
        self.programs = Programs(
            {"serve": [*connector, "serve"], "worker": [*connector, "worker"]},
            {
                "PYTHONPATH": str(ROOT),
                "CONNECTOR_CONFIG": str(configuration),
                "ADMIN_TOKEN": ADMIN_TOKEN,
                "HOST": "127.0.0.1",
                "PORT": str(port),
                "WEB_CONCURRENCY": "2",
                "LEASE_S": str(LEASE_S),
                "AUTO_MIGRATE": "1",
                "DATABASE_URL": database_url,
            },
            folder,
            own={name: clock.variables for name, clock in clocks.items()},
        )
        self._sandbox = sandbox
        self._known: set[tuple[str, str, str]] = set()
        headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
        self._api = httpx.Client(base_url=self.url, headers=headers, trust_env=False, timeout=15)

    def find(self, act: Act) -> list[psutil.Process]:
        """Return the candidate processes for `act`; all of them for an act that hits all."""
        serve, worker = self.programs.tree("serve"), self.programs.tree("worker")
        web = [process for process in serve[1:] if "gunicorn" in command_line(process)]
        match act:
            case Act.KILL_WEB:
                return web[1:]
            case Act.KILL_WEB_MASTER:
                return web[:1]
            case Act.STOP_WORKER:  # the one without a supervisor, which would end it with the web server
                return worker[:1]
            case Act.KILL_WORKER:
                return [process for process in [*serve[1:], *worker[:1]] if process not in web]
            case Act.KILL_SUPERVISOR:
                return serve[:1]
            case _:
                return self.programs.everything()

    def is_ready(self) -> bool:
        try:
            return self._api.get("/health/ready").status_code == 200
        except httpx.TransportError:
            return False

    def is_settled(self) -> bool:
        """Return whether no delivery is open. False while the API is unreachable."""
        try:
            return not any(self._get("/deliveries", state=state, limit="1") for state in ("waiting", "sending"))
        except httpx.HTTPError:
            return False

    def deliveries(self) -> list[ReportedDelivery]:
        return [
            ReportedDelivery(**{name: item[name] for name in ReportedDelivery.__slots__})
            for item in self._get_all("/deliveries")
        ]

    def events(self) -> list[ReportedEvent]:
        return [
            ReportedEvent(**{name: item[name] for name in ReportedEvent.__slots__}) for item in self._get_all("/events")
        ]

    def note_known(self) -> bool:
        """Remember which orders have a delivery now: those are not late. False while the API is unreachable."""
        try:
            self._known = {(delivery.account, delivery.store, delivery.order_id) for delivery in self.deliveries()}
        except httpx.HTTPError:
            return False
        return True

    def attempts(self, delivery: ReportedDelivery) -> list[ReportedAttempt]:
        """Return the attempts of one delivery, oldest first."""
        whole = self._api.get(f"/api/deliveries/{delivery.id}").raise_for_status().json()
        return [
            ReportedAttempt(
                started_at=datetime.fromisoformat(attempt["started_at"]).timestamp(),
                duration_s=None if attempt["duration_ms"] is None else attempt["duration_ms"] / 1000,
                outcome=attempt["outcome"],
            )
            for attempt in whole["attempt_log"]
        ]

    def judge(self, events: Sequence[PostedEvent], incidents: Sequence[Incident]) -> Verdict:
        causes = Causes(incidents=incidents, timeout_s=TIMEOUT_S)
        causes.note(self._sandbox.requests())
        restored_at = None
        for incident in incidents:
            if incident.act is Act.BACK_UP:
                forget_answers(events, incident.began_at, incident.ended_at)
                restored_at = incident.ended_at
        return judge(
            events=events,
            recorded=self.events(),
            deliveries=self.deliveries(),
            recorded_in_time=self._known,
            accepted=self._sandbox.orders(),
            causes=causes,
            attempts=self.attempts,
            restored_at=restored_at,
        )

    def _get_all(self, path: str) -> Iterator[dict[str, Any]]:
        """Yield the items of every page."""
        cursor: dict[str, str] = {}
        while True:
            page = self._api.get(f"/api{path}", params={"limit": "200", **cursor}).raise_for_status().json()
            yield from page["items"]
            if not page["next"]:
                return
            cursor = {"cursor": page["next"]}

    def _get(self, path: str, **query: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = self._api.get(f"/api{path}", params=query).raise_for_status().json()["items"]
        return items
