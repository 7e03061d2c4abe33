"""Reads a request's whole body before the application runs, so that a slow sender does not occupy it."""

from tempfile import SpooledTemporaryFile
from typing import IO, TYPE_CHECKING, Any

from werkzeug.exceptions import BadRequest

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

#: No view accepts a longer body.
MAX_BODY_BYTES = 2 * 1024 * 1024
#: A longer body is read up to here and discarded: a sender that is cut off while sending may never see the 413.
MAX_READ_BYTES = 16 * MAX_BODY_BYTES
CHUNK_BYTES = 64 * 1024
#: Bodies beyond this are kept in a temporary file until they are complete.
MAX_MEMORY_BYTES = 64 * 1024


def buffer_body(environ: "WSGIEnvironment") -> IO[bytes]:
    """Replace `wsgi.input` by the complete body, or by its first part if it is longer than any view accepts.

    Reading a body that is incomplete or breaks HTTP raises `BadRequest`. The caller closes the result.
    """
    buffer: SpooledTemporaryFile[bytes] = SpooledTemporaryFile(MAX_MEMORY_BYTES)  # noqa: SIM115  # the view reads it
    length = 0
    while length <= MAX_READ_BYTES and (chunk := read_chunk(environ["wsgi.input"])):
        if length <= MAX_BODY_BYTES:
            buffer.write(chunk)
        length += len(chunk)
    if chunk is None or length < min(int(environ.get("CONTENT_LENGTH") or 0), MAX_READ_BYTES):
        buffer.close()
        buffer = BrokenBody()
    buffer.seek(0)
    environ["wsgi.input"] = buffer
    return buffer


def read_chunk(body: IO[bytes]) -> bytes | None:
    """Return the next part of a body, empty at its end, or None if the connection or its HTTP broke."""
    try:
        return body.read(CHUNK_BYTES)
    except Exception:  # of the server's parser, or of the socket
        return None


class BrokenBody(SpooledTemporaryFile[bytes]):
    def read(self, *_: Any) -> bytes:
        raise BadRequest("the request body is incomplete, or is not valid HTTP")

    readline = read
