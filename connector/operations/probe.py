"""Tries whether each account can be reached with its credentials, by requests that create nothing."""

from dataclasses import dataclass

from connector.clients.http import Client, Knock
from connector.core.retry import Answer
from connector.runtime import Outbound, open_clients
from connector.settings import Settings
from mappings.integration import Destination, Outcome
from mappings.settings import Account, Store

KNOCK_WITHIN_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    account: str
    is_good: bool
    said: str


def probe_accounts(settings: Settings, only: str | None = None) -> list[Probed]:
    """Ask every account's destination once, or one account's alone, by its id. Opens no database."""
    with open_clients(settings) as (outbound, _):
        return [
            probe_account(outbound[account.id], account, settings.destination(account))
            for account in settings.accounts.values()
            if only in (None, account.id)
        ]


def knock_everywhere(settings: Settings) -> list[tuple[Account | Store, Knock]]:
    """Ask for nothing, wherever the accounts and the stores' APIs are: whether anybody answers, and by what clock."""
    with open_clients(settings) as (outbound, apis):
        doors: list[tuple[Account | Store, Client]] = [
            *((account, outbound[account.id].client) for account in settings.accounts.values()),
            *((store, apis[store.id]) for store in settings.stores.values() if store.id in apis),
        ]
        return [(whose, client.knock(KNOCK_WITHIN_S)) for whose, client in doors]


def probe_account(outbound: Outbound, account: Account, destination: Destination) -> Probed:
    def tell(said: str, *, is_good: bool = False) -> Probed:
        return Probed(account=account.name, is_good=is_good, said=said)

    bearer = outbound.tokens.bearer()
    if isinstance(bearer, Answer):
        return tell(f"no token: {bearer.error or f'status {bearer.status}'}")
    answer = outbound.client.request(
        "GET",
        destination.probe_path,
        headers={"Authorization": f"Bearer {bearer}"} if bearer else {},
        query=destination.query(account),
        timeout_s=account.timeout_s,
    )
    if answer.status is None:
        return tell(f"not reached: {answer.error}")
    is_expired = destination.judge(answer.status, answer.parsed()) is Outcome.TOKEN_EXPIRED
    if answer.status in (401, 403) or is_expired:
        return tell(f"reached, and refuses the credentials ({answer.status})")
    if answer.status >= 500:
        return tell(f"reached, and in trouble ({answer.status})")
    return tell(f"reached ({answer.status})", is_good=True)
