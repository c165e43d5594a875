"""The dashboard's bars in a real headless Chromium: pages, first figure, slider, new results, idle cost, memory.

The machine is shared between server and browser, so the times are those of a laptop that does both; beside them
stands what a page of plain Streamlit takes, turn about in the same minutes.
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from shared.results import ResultStore
from shared.run import Run
from tests.bench import Figure, Size, Unavailable, median_figure
from tests.bench._pages import every_page, first_load, words_beside
from tests.bench._plain_page import plain_page
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

POLL_S = 2.0
LIMIT_S = 120.0
"""Longest wait for a page's first figure, not a bar."""


class Amount(NamedTuple):
    """How often, how much, how long."""

    epochs: tuple[int, ...]
    """Of each run that is shown; all is measured on the first, slider and idling on the others too."""
    runs: int
    """Other runs in the folder, of three epochs each."""
    cold: int
    """Browsers started, after a first one that warms the server up; of each page a third of them."""
    warm_up: int
    """Moves of the slider that are not counted, a tab."""
    moves: int
    """Moves that are, a tab."""
    memory_warm_up: int
    memory_moves: int
    burst: int
    """New epochs, one after another."""
    settle_s: float
    idle_s: float


AMOUNTS = {
    Size.FULL: Amount((50, 500), 19, 6, 2, 12, 60, 150, 25, settle_s=3.0, idle_s=20.0),
    Size.TINY: Amount((6,), 1, 1, 1, 1, 1, 2, 1, settle_s=0.1, idle_s=0.2),
}

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


def measure(size: Size = Size.FULL) -> list[Figure]:
    return list(_measure(AMOUNTS[size]))


def _measure(amount: Amount) -> Iterator[Figure]:
    folder = Path(tempfile.mkdtemp(prefix="midwatch-bench-"))
    try:
        for number in range(amount.runs):
            alive(make_fake_run(folder / "many" / f"other{number}", 3), 3)
        for epochs in amount.epochs:
            last = epochs == amount.epochs[-1]
            run = make_fake_run(folder / ("many" if last else "one") / f"run{epochs}", epochs)
            alive(run, epochs)
            with serving(run.path.parent, POLL_S) as server, plain_page(folder) as plain:
                if find_chromium() is None:
                    raise Unavailable("It needs Chromium: install it, or set CHROMIUM to its path.")
                with chromium() as browser:
                    if epochs == amount.epochs[0]:
                        yield from cold_start(browser, server, plain, amount.cold)
                        yield from first_load(browser, server)
                        yield words_beside(browser, server, NAMES)
                    if last:
                        yield from every_page(browser, server, epochs, amount.runs + 1, max(1, amount.cold // 3))
                    yield from slider(browser, server, plain, epochs, amount)
                    if epochs == amount.epochs[0]:
                        yield memory(browser, server, amount)
                        yield new_results(browser, server, run, epochs, amount.burst)
                    yield idle(browser, server, epochs, amount)
    finally:
        shutil.rmtree(folder)


def cold_start(browser: Any, server: Server, plain: str, count: int) -> Iterator[Figure]:
    titles, figures, ratios = [], [], []
    for _ in range(count + 1):
        start = time.perf_counter()
        bare = open_page(browser, plain)
        bare.wait_for_figure(LIMIT_S)
        took = time.perf_counter() - start
        bare.page.context.close()
        start = time.perf_counter()
        watched = open_page(browser, server.url)
        titles.append(time.perf_counter() - start)
        watched.wait_for_figure(LIMIT_S)
        figures.append(time.perf_counter() - start)
        ratios.append(figures[-1] / took)
        watched.page.context.close()
    note = f"cold browsers; the server's very first page {figures[0]:.1f} s"
    yield median_figure("title, cold browser", titles[1:], "s", bar="<= 2", note=note)
    yield median_figure("first figure, cold browser", figures[1:], "s", bar="<= 3.5", note=note)
    note = "a page of plain Streamlit with one slider and one line, turn about"
    yield median_figure("first figure, ours / plain Streamlit", ratios[1:], "x", bar="<= 2.2", note=note)


def slider(browser: Any, server: Server, plain: str, epochs: int, amount: Amount) -> Iterator[Figure]:
    slowest, largest, ratios = {}, {}, {}
    for name in NAMES:
        bare, _ = moved(browser, plain, amount)
        times, sizes = moved(
            browser, server.at("training", run=f"run{epochs}", tab=name, epoch=epochs // 2), amount
        )
        ratios[name] = statistics.median(times) / statistics.median(bare)
        slowest[name], largest[name] = p95(times), max(sizes)
        note = f"{ratios[name]:.1f} x plain Streamlit; p95 {slowest[name]:.0f} ms; "
        note += f"{statistics.median(sizes):.0f} kB, at most {largest[name]:.0f}"
        yield median_figure(f"slider to figure, {name}, {epochs} epochs", times, "ms", bar="<= 300", note=note)
    for what, found, unit, bar in (
        ("p95 of slider to figure", slowest, "ms", "<= 700"),
        ("largest answer to the slider", largest, "kB", "<= 60"),
        ("slider to figure, ours / plain Streamlit", ratios, "x", "<= 2.2"),
    ):
        worst = max(found, key=lambda name: found[name])
        name = f"{what}, worst tab, {epochs} epochs"
        yield Figure(name=name, value=found[worst], unit=unit, bar=bar, note=worst)  # type: ignore[arg-type]


def moved(browser: Any, address: str, amount: Amount) -> tuple[list[float], list[float]]:
    """Of each move of one page's slider: milliseconds to the new figure, and kB that the page received."""
    watched = open_page(browser, address)
    watched.wait_for_figure(LIMIT_S)
    times, sizes = [], []
    with frames(watched) as received:
        for number in range(amount.warm_up + amount.moves):
            watched.page.wait_for_timeout(250)
            received.clear()
            took = move(watched, "ArrowRight" if number % 2 else "ArrowLeft", number)
            watched.page.wait_for_timeout(250)
            if number >= amount.warm_up:
                times.append(took)
                sizes.append(sum(received) / 1000)
    watched.page.context.close()
    return times, sizes


def p95(values: list[float]) -> float:
    return sorted(values)[max(0, int(0.95 * len(values)) - 1)]


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


def memory(browser: Any, server: Server, amount: Amount) -> Figure:
    """Growth of the server over many moves to epochs not seen before, after the caches are warm."""
    watched = open_page(browser, server.at("training", run=f"run{amount.epochs[0]}", tab="tokens", epoch=1))
    watched.wait_for_figure(LIMIT_S)
    process = psutil.Process(server.process.pid)
    keys = ["ArrowRight"] * 45 + ["ArrowLeft"] * 45
    sizes = []
    for number in range(amount.memory_warm_up + amount.memory_moves):
        move(watched, keys[number % len(keys)], number)
        if number + 1 in (amount.memory_warm_up, amount.memory_warm_up + amount.memory_moves):
            sizes.append(process.memory_info().rss / 2**20)
    watched.page.context.close()
    growth = sizes[1] - sizes[0]
    note = f"{amount.memory_moves} moves after {amount.memory_warm_up} to warm up; {sizes[1]:.0f} MiB in all"
    return Figure(name="server memory growth", value=growth, unit="MiB", bar="<= 10", note=note)


def new_results(browser: Any, server: Server, run: Run, epochs: int, burst: int) -> Figure:
    """Commit new epochs one after another and wait until each is shown."""
    watched = open_page(browser, server.at(run=run.path.name))
    watched.wait_for_figure(LIMIT_S)
    store = ResultStore(run.results)
    records = fake_records(epochs + burst)
    delays = []
    for epoch in range(epochs + 1, epochs + burst + 1):
        for record in records:
            if record.step == epoch * STEPS:
                store.commit(record)
        start = time.perf_counter()
        wait_until(lambda epoch=epoch: watched.epoch() == f"epoch {epoch}", LIMIT_S)
        delays.append(time.perf_counter() - start)
    watched.page.context.close()
    note = f"median {statistics.median(delays):.2f} s; none of {burst} missed; poll {POLL_S:g} s"
    name = "new result to screen, p95"
    return Figure(name=name, value=p95(delays), unit="s", n=burst, bar=f"<= {POLL_S + 0.5:g}", note=note)


def idle(browser: Any, server: Server, epochs: int, amount: Amount) -> Figure:
    """Share of a core that one open session costs the server while nothing changes."""
    watched = open_page(browser, server.at(run=f"run{epochs}"))
    watched.wait_for_figure(LIMIT_S)
    watched.page.wait_for_timeout(1000 * amount.settle_s)
    process = psutil.Process(server.process.pid)
    before, start = process.cpu_times(), time.perf_counter()
    watched.page.wait_for_timeout(1000 * amount.idle_s)
    after, seconds = process.cpu_times(), time.perf_counter() - start
    watched.page.context.close()
    share = 100 * (after.user + after.system - before.user - before.system) / seconds
    note = f"over {seconds:.0f} s"
    return Figure(name=f"idle, {epochs} epochs", value=share, unit="% of a core", bar="<= 5", note=note)
