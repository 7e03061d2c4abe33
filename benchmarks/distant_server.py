"""Acts as a server that is far away: TLS, and a delay for each direction, TCP's and TLS's handshakes included.

`python -m benchmarks.distant_server PORT UPSTREAM_PORT ROUND_TRIP_MS CERTIFICATE KEY` responds at PORT with what the
plain HTTP server at UPSTREAM_PORT responds. The kernel accepts a connection at once, so the first bytes are held back
for the round trip that this would have taken.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

from benchmarks.certificates import server_context

CHUNK_BYTES = 65_536

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay_s: float, not_before: float) -> None:
    """Pass on what arrives, each chunk `delay_s` after it came or after `not_before`, and then the end."""
    loop = asyncio.get_running_loop()
    chunks: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def write() -> None:
        data = b" "
        while data:
            due, data = await chunks.get()
            await asyncio.sleep(due - loop.time())
            if data:
                writer.write(data)
                await writer.drain()

    writing = asyncio.create_task(write())
    with suppress(OSError):
        while data := await reader.read(CHUNK_BYTES):
            chunks.put_nowait((max(loop.time(), not_before) + delay_s, data))
    chunks.put_nowait((loop.time() + delay_s, b""))
    with suppress(OSError):
        await writing
    writer.close()


def forward_to(port: int, *, round_trip_s: float = 0.0) -> Handler:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected_at = asyncio.get_running_loop().time() + round_trip_s
        upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(
            copy(reader, upstream_writer, round_trip_s / 2, connected_at),
            copy(upstream_reader, writer, round_trip_s / 2, connected_at),
        )

    return handle


async def serve(port: int, upstream_port: int, round_trip_ms: float, certificate: Path, key: Path) -> None:
    decrypting = await asyncio.start_server(
        forward_to(upstream_port), "127.0.0.1", 0, ssl=server_context(certificate, key)
    )
    decrypting_port = decrypting.sockets[0].getsockname()[1]
    distant = await asyncio.start_server(
        forward_to(decrypting_port, round_trip_s=round_trip_ms / 1000), "127.0.0.1", port, backlog=1_000
    )
    async with decrypting, distant:
        await distant.serve_forever()


if __name__ == "__main__":
    port, upstream_port, round_trip_ms, certificate, key = sys.argv[1:]
    asyncio.run(serve(int(port), int(upstream_port), float(round_trip_ms), Path(certificate), Path(key)))
