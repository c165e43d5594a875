"""At which addresses we listen, who may call there by which name, and with which token. Imports nothing that a
command line waits for."""

from __future__ import annotations

import os
from collections.abc import Iterable
from ipaddress import ip_address

from shared.errors import UsageError

TOKEN = "MIDWATCH_LISTEN_TOKEN"  # noqa: S105 (the variable's name)
MIN_TOKEN = 16


def parse_listen(text: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT`. Raises ValueError in words for people."""
    host, colon, port = text.rpartition(":")
    host = host.strip("[]")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535 or not host:
        raise ValueError("write HOST:PORT, for example 127.0.0.1:8765")
    return host, int(port)


def token_for(host: str) -> str:
    """The token that callers must send; empty where none is needed. Raises UsageError where one is missing."""
    token = os.environ.get(TOKEN, "")
    if token and (len(token) < MIN_TOKEN or not token.isascii() or not token.isprintable()):
        raise UsageError(f"{TOKEN} must have at least {MIN_TOKEN} printable ASCII characters.")
    if not token and not is_loopback(host):
        raise UsageError(
            f"--listen {host} can be reached from other machines: set {TOKEN} in the environment, or listen on "
            "127.0.0.1."
        )
    return token


def are_for_us(hosts: Iterable[str]) -> bool:
    """Whether all `Host` that a request has name this machine itself; a web page can make any other name lead here,
    and then read in a browser on this machine what is told to nobody else (DNS rebinding)."""
    return all(map(_names_us, hosts))


def _names_us(host: str) -> bool:
    whole = host.strip().lower()
    name, _, port = whole.rpartition(":")
    return is_loopback((name if port.isdigit() and not whole.endswith("]") else whole).strip("[]"))


def is_loopback(host: str) -> bool:
    """Whether only this machine itself reaches an address, or a name, of its own."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
