"""The HTTP server of Prometheus' scrapes. On a loopback address it refuses whoever calls it by another name."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer

from analyzer.supervisor.listen_address import are_for_us, is_loopback

Environ = dict[str, Any]
App = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


def server_at(host: str, port: int, registry: CollectorRegistry) -> WSGIServer:
    """A server that listens, and serves once it is told to. Raises OSError where nobody can listen."""
    family, *_, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]

    class Server(ThreadingWSGIServer):
        """A thread a scrape: a slow caller holds up no other."""

        address_family = family

    app = make_wsgi_app(registry)
    served = for_us_only(app) if is_loopback(host) else app
    return make_server(str(place[0]), port, served, Server, handler_class=_Silent)


def for_us_only(app: App) -> App:
    """Refuse what came by another name than this machine's own."""

    def served(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        if are_for_us(environ.get("HTTP_HOST", "localhost").split(",")):
            return app(environ, start_response)
        start_response("403 Forbidden", [("Content-Type", "text/plain; charset=utf-8")])
        return [b"Call it by an address of this machine, such as 127.0.0.1.\n"]

    return served


class _Silent(WSGIRequestHandler):
    """Nothing of what a caller sends is written anywhere."""

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""
