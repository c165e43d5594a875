"""`watch --metrics`: the supervisor's numbers over HTTP, for Prometheus. Imported is nothing of it without."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple

from analyzer.supervisor.listen_address import is_loopback
from shared.errors import MidwatchError, UsageError
from shared.logs import entry

if TYPE_CHECKING:
    from analyzer.supervisor.exporter import Exporter
    from analyzer.supervisor.loop import Observer, Supervisor

logger = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
PLACE = re.compile(r"^(?:(?P<host>[^:\s]+|\[[0-9a-fA-F:.]+\]):)?(?P<port>\d{1,5})$")


class Address(NamedTuple):
    """Where to listen."""

    host: str
    port: int

    @property
    def loopback(self) -> bool:
        return is_loopback(self.host)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str) -> str:
    """HOST:PORT or PORT as given; raises ValueError in words for people."""
    match = PLACE.match(text)
    if match is None or not 0 < int(match["port"]) < 2**16:
        raise ValueError("write HOST:PORT or PORT, e.g. 127.0.0.1:9464")
    return text


def address_of(text: str) -> Address:
    """Of what `parse_address` let through; a port alone is one of this machine's own."""
    match = PLACE.match(text)
    assert match is not None  # noqa: S101 (the settings were checked)
    return Address((match["host"] or LOOPBACK).strip("[]"), int(match["port"]))


def exporter_for(where: str | None, before: Observer) -> Exporter | None:
    """An observer that counts, in front of another one; None where nobody asked. Raises UsageError without the
    package."""
    if where is None:
        return None
    if find_spec("prometheus_client") is None:
        raise UsageError("--metrics needs prometheus-client; run `pip install 'midwatch[metrics]'`.")
    from analyzer.supervisor.exporter import Exporter

    return Exporter(before)


@contextmanager
def exported(exporter: Exporter | None, supervisor: Supervisor, where: str | None) -> Iterator[None]:
    """Answer scrapes while the block runs, where asked for. Raises MidwatchError where nobody can listen."""
    if exporter is None or where is None:
        yield
        return
    from analyzer.supervisor.metrics_server import server_at

    exporter.supervisor, address = supervisor, address_of(where)
    try:
        server = server_at(address.host, address.port, exporter.registry)
    except OSError as error:
        why = error.strerror or str(error)
        raise MidwatchError(f"--metrics {address}: cannot listen there ({why}); give another address.") from error
    thread = threading.Thread(target=server.serve_forever, name="metrics", daemon=True)
    thread.start()
    _say(address)
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _say(address: Address) -> None:
    logger.info("metrics at http://%s/metrics", address, extra=entry("metrics_served"))
    if not address.loopback:
        cause = f"{address}: whoever reaches it reads the names and numbers of all runs; no password is asked"
        logger.warning("--metrics %s", cause, extra=entry("metrics_open", cause=cause))
