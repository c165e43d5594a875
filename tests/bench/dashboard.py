"""The dashboard's bars in a real headless Chromium: first figure, slider, new results, idle cost, memory.

The machine is shared between server and browser, so the times are those of a laptop that does both.
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from shared.results import ResultStore
from shared.run import Run
from tests.bench import Figure
from tests.dashboard.browser import (
    FIGURES,
    Server,
    Watched,
    chromium,
    find_chromium,
    open_page,
    serving,
    wait_until,
)
from tests.dashboard.scenes import NAMES, STEPS, alive
from tests.making.fake_run import make_fake_run
from tests.making.fakes import fake_records

COLD, MOVES, BURST, MEMORY_MOVES = 7, 20, 25, 150
IDLE_S = 20.0
POLL_S = 2.0
EPOCHS = (50, 500)

ARM = f"""() => {{
  const figures = {FIGURES};
  const before = figures();
  window.moved = new Promise(resolve => document.addEventListener('keydown', async () => {{
    const start = performance.now();
    while (performance.now() - start < 30000) {{
      await new Promise(requestAnimationFrame);
      const now = figures();
      if (now && now !== before) return resolve(performance.now() - start);
    }}
    resolve(null);
  }}, {{once: true, capture: true}}));
}}"""
"""Measures in the page, in ms, from the key's press to the first frame with other figures."""


def measure() -> list[Figure]:
    """All figures, or none with a reason when there is no Chromium."""
    if find_chromium() is None:
        return [Figure("dashboard", 0, "", "", None, "skipped: no Chromium found")]
    return list(_measure())


def _measure() -> Iterator[Figure]:
    folder = Path(tempfile.mkdtemp(prefix="midwatch-bench-"))
    try:
        for epochs in EPOCHS:
            run = make_fake_run(folder / f"run{epochs}", epochs)
            alive(run, epochs)
            with serving(run.path, POLL_S) as server, chromium() as browser:
                if epochs == EPOCHS[0]:
                    yield from cold_start(browser, server)
                yield from slider(browser, server, epochs)
                if epochs == EPOCHS[0]:
                    yield from memory(browser, server)
                    yield from new_results(browser, server, run, epochs)
                yield idle(browser, server, epochs)
    finally:
        shutil.rmtree(folder)


def cold_start(browser: Any, server: Server) -> Iterator[Figure]:
    titles, figures = [], []
    for _ in range(COLD + 1):
        start = time.perf_counter()
        watched = open_page(browser, server.url)
        titles.append(time.perf_counter() - start)
        watched.wait_for_figure()
        figures.append(time.perf_counter() - start)
        watched.page.context.close()
    detail = f"{COLD} cold browsers; the server's very first page {figures[0]:.1f} s"
    title, figure = statistics.median(titles[1:]), statistics.median(figures[1:])
    yield Figure("dashboard: title, cold browser", title, "s", "<= 2", title <= 2, detail)
    yield Figure("dashboard: first figure, cold browser", figure, "s", "<= 3.5", figure <= 3.5, detail)


def slider(browser: Any, server: Server, epochs: int) -> Iterator[Figure]:
    for name in NAMES:
        watched = open_page(browser, server.at(tab=name, epoch=epochs // 2))
        watched.wait_for_figure()
        times, sizes = [], []
        with frames(watched) as received:
            for number in range(MOVES + 2):
                watched.page.wait_for_timeout(250)
                received.clear()
                took = move(watched, "ArrowRight" if number % 2 else "ArrowLeft", number)
                watched.page.wait_for_timeout(250)
                if number >= 2:
                    times.append(took)
                    sizes.append(sum(received) / 1000)
        watched.page.context.close()
        median, p95 = statistics.median(times), sorted(times)[int(0.95 * len(times)) - 1]
        ok = median <= 300 and p95 <= 700 and max(sizes) <= 60
        detail = f"p95 {p95:.0f} ms (<= 700); {statistics.median(sizes):.0f} kB, at most {max(sizes):.0f} (<= 60)"
        yield Figure(f"dashboard: slider to figure, {name}, {epochs} epochs", median, "ms", "<= 300", ok, detail)


def move(watched: Watched, key: str, number: int) -> float:
    """One step of the slider; milliseconds until the figures changed."""
    watched.page.evaluate(ARM)
    watched.slider().press(key)
    took = watched.page.evaluate("window.moved")
    assert took is not None, f"move {number} changed no figure"
    return took


class frames:
    """Sizes in bytes of the WebSocket frames a page receives inside the block."""

    def __init__(self, watched: Watched) -> None:
        self.session = watched.page.context.new_cdp_session(watched.page)
        self.sizes: list[float] = []

    def __enter__(self) -> list[float]:
        self.session.send("Network.enable")
        self.session.on("Network.webSocketFrameReceived", self._add)
        return self.sizes

    def __exit__(self, *_: object) -> None:
        self.session.detach()

    def _add(self, event: dict[str, Any]) -> None:
        response = event["response"]
        binary = response["opcode"] == 2  # the payload of a binary frame is reported as base64
        self.sizes.append(len(response["payloadData"]) * (0.75 if binary else 1))


def memory(browser: Any, server: Server) -> Iterator[Figure]:
    """Growth of the server over many moves to epochs not seen before, after the caches are warm."""
    watched = open_page(browser, server.at(tab="tokens", epoch=1))
    watched.wait_for_figure()
    process = psutil.Process(server.process.pid)
    keys = ["ArrowRight"] * 45 + ["ArrowLeft"] * 45
    sizes = []
    for number in range(60 + MEMORY_MOVES):
        move(watched, keys[number % len(keys)], number)
        if number in (59, 59 + MEMORY_MOVES):
            sizes.append(process.memory_info().rss / 2**20)
    watched.page.context.close()
    growth = sizes[1] - sizes[0]
    detail = f"{MEMORY_MOVES} moves after 60 to warm up; {sizes[1]:.0f} MB in all"
    yield Figure("dashboard: server memory growth", growth, "MB", "<= 10", growth <= 10, detail)


def new_results(browser: Any, server: Server, run: Run, epochs: int) -> Iterator[Figure]:
    """Commit new epochs one after another and wait until each is shown."""
    watched = open_page(browser, server.url)
    watched.wait_for_figure()
    store = ResultStore(run.results)
    records = fake_records(epochs + BURST)
    delays = []
    for epoch in range(epochs + 1, epochs + BURST + 1):
        for record in records:
            if record.step == epoch * STEPS:
                store.commit(record)
        start = time.perf_counter()
        wait_until(lambda epoch=epoch: watched.epoch() == f"epoch {epoch}", 30)
        delays.append(time.perf_counter() - start)
    watched.page.context.close()
    p95 = sorted(delays)[int(0.95 * len(delays)) - 1]
    detail = f"median {statistics.median(delays):.2f} s; none of {BURST} missed; poll {POLL_S:g} s"
    yield Figure("dashboard: new result to screen, p95", p95, "s", "<= 2.5", p95 <= POLL_S + 0.5, detail)


def idle(browser: Any, server: Server, epochs: int) -> Figure:
    """Share of a core that one open session costs the server while nothing changes."""
    watched = open_page(browser, server.url)
    watched.wait_for_figure()
    watched.page.wait_for_timeout(3000)
    process = psutil.Process(server.process.pid)
    before, start = process.cpu_times(), time.perf_counter()
    watched.page.wait_for_timeout(IDLE_S * 1000)
    after, seconds = process.cpu_times(), time.perf_counter() - start
    watched.page.context.close()
    share = 100 * (after.user + after.system - before.user - before.system) / seconds
    return Figure(
        f"dashboard: idle, {epochs} epochs", share, "% of a core", "<= 5", share <= 5, f"over {seconds:.0f} s"
    )


if __name__ == "__main__":
    for found in _measure():
        sys.stdout.write(
            f"{found.name}: {found.value:.3g} {found.unit} {found.bar} {found.passed} {found.detail}\n"
        )
        sys.stdout.flush()
