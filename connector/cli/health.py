"""`connector health`: asks the running service whether it can store webhooks, for a container's health check."""

import json
from http.client import HTTPConnection, HTTPException

from connector.cli.common import JSON_OPTION, cli, exit_with
from connector.cli.output import print_result
from connector.worker.listening import LOCAL_ADDRESSES

TIMEOUT_S = 5.0


@cli.command()
@JSON_OPTION
def health(as_json: bool) -> None:
    """Check whether the service at HOST and PORT can store webhooks.

    The exit status is 0 if it can. `worker` is running or none: whether orders are also sent.
    """
    from connector.settings import load_environment

    environment = load_environment()
    host, port = LOCAL_ADDRESSES.get(environment.host, environment.host), environment.port
    try:
        status, body = get(host, port, "/health/ready")
        data = dict(json.loads(body))
    except (OSError, HTTPException) as error:
        reason = getattr(error, "strerror", None) or error
        exit_with([f"The service did not respond at {host}, port {port}: {reason}."], 1)
    except (ValueError, TypeError):
        exit_with([f"Another program responds at {host}, port {port}."], 1)
    if status != 200:
        exit_with([f"The service is not ready: {data.get('detail') or f'status {status}'}"], 1)
    print_result(f"The service is ready; worker: {data.get('worker')}.", data, as_json=as_json)


def get(host: str, port: int, path: str) -> tuple[int, bytes]:
    """Return the status and the body of a response. Raises `OSError` or `HTTPException`."""
    connection = HTTPConnection(host, port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()
