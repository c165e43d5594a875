"""A real dashboard process and a real Chromium, for the browser tests and the benchmark."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.making.waiting import LIMIT_S

ROOT = Path(__file__).resolve().parents[2]
APP = ROOT / "dashboard" / "app.py"
COMMAND = (
    "import typer; from dashboard.cli import add_commands; from shared.cli import run_app; "
    "app = typer.Typer(); app.callback()(lambda: None); add_commands(app); run_app(app)"
)
"""`midwatch` with the dashboard's commands only."""

FIGURES = """() => Array.from(document.querySelectorAll('.js-plotly-plot'))
  .map(g => g._fullLayout ? JSON.stringify([g.layout.title, g.layout.annotations, g.data]) : '')
  .concat(Array.from(document.querySelectorAll('[data-words]')).map(each => each.dataset.words))
  .concat(Array.from(document.querySelectorAll('[data-curves]')).map(each => each.dataset.curves)).join('|')"""
"""What is drawn, as one string: it changes with the figures, small curves and prompts' words, and with nothing
else."""


WINDOW = {"width": 1440, "height": 1000}


def find_chromium() -> str | None:
    """A Chromium on this machine, or None."""
    named = os.environ.get("CHROMIUM")
    return named or next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def dashboard_command(*arguments: str) -> list[str]:
    """The command line `midwatch dashboard ARGUMENTS`."""
    return [sys.executable, "-c", COMMAND, "dashboard", *arguments]


@dataclass
class Server:
    """A running dashboard."""

    url: str
    process: subprocess.Popen[bytes]

    def at(self, page: str = "", **query: object) -> str:
        return f"{self.url}/{page}" + (f"?{urlencode(query)}" if query else "")


@contextmanager
def serving(root: Path, poll_s: float = 2.0, cwd: Path | None = None) -> Iterator[Server]:
    """`midwatch dashboard ROOT` until the block ends."""
    port = free_port()
    process = subprocess.Popen(
        dashboard_command(str(root), "--port", str(port), "--poll", str(poll_s)),
        cwd=cwd or root,
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
    )
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: process.poll() is not None or healthy(url), LIMIT_S)
        assert process.poll() is None, "the dashboard ended at its start"
        yield Server(url, process)
    finally:
        process.terminate()
        process.wait(LIMIT_S)


def healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/_stcore/health", timeout=2) as answer:  # noqa: S310 - our own server
            return answer.status == 200
    except OSError:
        return False


def wait_until(happened: Callable[[], Any], timeout_s: float, every_s: float = 0.02) -> Any:
    """The first true value of `happened()`; fails when there is none in time."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if value := happened():
            return value
        time.sleep(every_s)
    raise AssertionError(f"did not happen within {timeout_s} s")


@dataclass
class Watched:
    """A page, and everything it asked for or showed that a harmless page does not."""

    page: Any
    outside: list[str] = field(default_factory=list)
    """Requests to other hosts."""
    dialogs: list[str] = field(default_factory=list)

    def figures(self) -> str:
        return self.page.evaluate(FIGURES)

    def wait_for_figure(self, timeout_s: float = LIMIT_S) -> None:
        self.page.wait_for_selector(".js-plotly-plot .main-svg, [data-curves]", timeout=timeout_s * 1000)

    def settle(self) -> None:
        """Wait until the script of the page has run to its end."""
        self.page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]", state="attached")

    def address(self) -> str:
        """What the address bar says (`page.url` is only as new as the last call into the browser)."""
        return self.page.evaluate("location.href")

    def slider(self) -> Any:
        """The checkpoint slider that shows; one that was just replaced stays in the page for a moment, hidden."""
        return self.page.locator("[data-testid=stElementContainer]:visible input[type=range]")

    def epoch(self) -> str:
        """The label at the slider, e.g. "epoch 3"; empty without a slider."""
        slider = self.slider()
        return slider.get_attribute("aria-valuetext") or "" if slider.count() else ""

    def tab(self) -> str:
        return self.page.locator("[role=tab][aria-selected=true]").inner_text()

    def exceptions(self) -> list[str]:
        return self.page.locator("[data-testid=stException]").all_inner_texts()


@contextmanager
def chromium() -> Iterator[Any]:
    """A headless Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


class Lagging:
    """A page's connection to its dashboard, which can hold back what that says: a browser that is behind."""

    def __init__(self, page: Any) -> None:
        self.sent = 0
        """Messages of the page since `hold`."""
        self._held: list[Any] | None = None
        page.route_web_socket("**/_stcore/stream", self._connect)

    def hold(self) -> None:
        """Deliver nothing to the page from now on; what the page says goes through."""
        self.sent, self._held = 0, []

    def release(self) -> None:
        """Deliver everything that was held, in order."""
        held, self._held = self._held or [], None
        for message in held:
            self._page.send(message)

    def _connect(self, route: Any) -> None:
        self._page, server = route, route.connect_to_server()

        def said(message: Any) -> None:
            self.sent += 1
            server.send(message)

        def heard(message: Any) -> None:
            if self._held is None:
                route.send(message)
            else:
                self._held.append(message)

        route.on_message(said)
        server.on_message(heard)


def open_page(browser: Any, url: str, prepare: Callable[[Any], object] = lambda page: None) -> Watched:
    """A page of its own session at `url`; `prepare` sees it before it asks for anything.

    It shares what the browser's earlier pages have loaded, unless their context was closed: a cold browser takes
    ten seconds of a core to read all scripts.
    """
    context = browser.contexts[0] if browser.contexts else browser.new_context(viewport=WINDOW)
    page = context.new_page()
    page.set_default_timeout(LIMIT_S * 1000)
    prepare(page)
    watched = Watched(page)
    host = url.split("/")[2]

    def asked(request: Any) -> None:
        if request.url.split(":")[0] not in ("data", "blob") and request.url.split("/")[2] != host:
            watched.outside.append(request.url)

    page.on("request", asked)
    page.on("dialog", lambda dialog: (watched.dialogs.append(dialog.message), dialog.dismiss()))
    page.goto(url)
    page.wait_for_selector("h1")
    return watched
