"""The TLS settings of all connections, and the sessions that later connections to the same server resume.

A resumed handshake saves both sides the signature and the check of the certificate. A session belongs to a
server name whose certificate was checked when the session began.
https://docs.python.org/3/library/ssl.html#ssl-session and #ssl.SSLContext.sslsocket_class, read 2026-11-30.
"""

import ssl
from collections import OrderedDict
from contextlib import suppress
from functools import cache

import httpx

#: Servers whose last session is remembered.
MAX_SESSIONS = 256


def create_tls_context() -> ssl.SSLContext:
    """Return TLS settings whose connections resume sessions, with the certificates that httpx trusts."""
    context = httpx.create_ssl_context()
    context.set_alpn_protocols(["http/1.1"])
    sessions: OrderedDict[str, ssl.SSLSession] = OrderedDict()

    class ResumingSocket(ssl.SSLSocket):
        def do_handshake(self, block: bool = False) -> None:
            session = sessions.get(self.server_hostname or "")
            if session is not None:
                self.session = session  # a server that does not know it makes a full handshake
            super().do_handshake(block)

        def close(self) -> None:
            with suppress(ssl.SSLError, ValueError):
                # With TLS 1.3 it comes after the handshake: https://www.rfc-editor.org/rfc/rfc8446#section-4.6.1
                if self.session is not None and self.server_hostname:
                    sessions[self.server_hostname] = self.session
                    if len(sessions) > MAX_SESSIONS:
                        sessions.popitem(last=False)
            super().close()

    context.sslsocket_class = ResumingSocket
    return context


@cache
def tls_context() -> ssl.SSLContext:
    """Return the settings that all connections of this process share: reading the certificates takes a while."""
    return create_tls_context()
