"""`midwatch dashboard`: serve the pages over one run or a folder of runs."""

from __future__ import annotations

import errno
import importlib.util
import os
import socket
import sys
from pathlib import Path

import typer
from pydantic import Field

from dashboard.chrome.place import DEFAULT_POLL_S, MIN_POLL_S, POLL_VARIABLE, RUNS_VARIABLE
from shared.cli import positional, settings_command
from shared.errors import MidwatchError, UsageError
from shared.processes import NEUTRAL, child_environment, python_command
from shared.settings import Settings

LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")
EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - recognised, not bound


class DashboardSettings(Settings):
    """What `midwatch dashboard` is told."""

    example = "midwatch dashboard runs/judge --port 8600"
    runs: Path = positional(Path("runs"))
    """A run, or a folder of runs in which new ones appear. Default: ./runs."""
    port: int = Field(8501, ge=1, le=65535)
    """TCP port to listen on."""
    address: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 for every interface (there is no login unless you configure one)."""
    allowed_hosts: list[str] = Field(default_factory=list)
    """Host names under which browsers reach the dashboard, beside localhost; repeat for several."""
    poll: float = Field(DEFAULT_POLL_S, ge=MIN_POLL_S, le=60)
    """Seconds between two looks at the files."""


def add_commands(app: typer.Typer) -> None:
    """Add this component's commands to `app`."""

    @settings_command(app, DashboardSettings, "dashboard")
    def dashboard(settings: DashboardSettings) -> None:
        """Show a run, or a folder of runs, in the browser; live while it trains. Ctrl-C stops it."""
        serve(settings)


def serve(settings: DashboardSettings) -> None:
    """Become the server: this process turns into Streamlit, so that signals reach it and nothing is left behind.

    Raises UsageError (no such folder) or MidwatchError (port in use, Streamlit missing); else does not return.
    """
    root = settings.runs.expanduser().resolve()
    if not root.is_dir():
        raise UsageError(f"{root} is not a directory; name a run, or a folder that runs appear in.")
    if importlib.util.find_spec("streamlit") is None:
        raise MidwatchError("The dashboard needs Streamlit; install it with: pip install 'midwatch[dashboard]'.")
    check_port(settings.address, settings.port)
    typer.echo(f"Midwatch dashboard over {root}: {url(settings)}  (Ctrl-C stops it)")
    sys.stdout.flush()
    environment = child_environment(**{RUNS_VARIABLE: str(root), POLL_VARIABLE: str(settings.poll)})
    os.chdir(NEUTRAL)  # Streamlit would read a .streamlit/config.toml of the working directory
    os.execve(sys.executable, arguments(settings), environment)  # noqa: S606 - our own interpreter


def arguments(settings: DashboardSettings) -> list[str]:
    """Streamlit's command line. What hardens it stands in .streamlit/config.toml beside it."""
    hosts = [*LOCAL_HOSTS, *settings.allowed_hosts]
    if settings.address not in EVERYWHERE:
        hosts.append(settings.address)
    return [
        *python_command("dashboard.serve"),
        f"--server.address={settings.address}",
        f"--server.port={settings.port}",
        # unset, a server that listens everywhere asks the internet for its own address
        f"--browser.serverAddress={'127.0.0.1' if settings.address in EVERYWHERE else settings.address}",
        *(f"--server.allowedHosts={host}" for host in dict.fromkeys(hosts)),
    ]


def url(settings: DashboardSettings) -> str:
    """Where a browser on this machine finds the dashboard."""
    host = "127.0.0.1" if settings.address in EVERYWHERE else settings.address
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"


def check_port(address: str, port: int) -> None:
    """Raise MidwatchError when nobody could listen there: taken, forbidden, or not this machine's address."""
    try:
        family = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((address, port))
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise MidwatchError(f"Port {port} on {address} is in use; choose another one with --port.") from error
        raise MidwatchError(
            f"Cannot listen on {address}:{port} ({error.strerror or error}); choose another --address or --port."
        ) from error
