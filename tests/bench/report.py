"""The bars of `midwatch report`: 50 analysed checkpoints as one page, and what it asks of a browser."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from analyzer.commands.export import write_tables
from shared.pages.report.choice import Best
from shared.pages.report.gather import gather
from shared.pages.report.page import write_report
from shared.run import Run
from tests.bench import Figure, Size, Unavailable, median_figure
from tests.dashboard.browser import chromium, find_chromium
from tests.making.fake_run import make_fake_run

SCROLL = """async () => {
  document.querySelectorAll('details').forEach(each => { each.open = true; });
  for (let y = 0; y < document.documentElement.scrollHeight; y += 800) {
    window.scrollTo(0, y);
    await new Promise(requestAnimationFrame);
  }
}"""
"""Opens everything and comes past every figure."""
DRAWN = "document.querySelectorAll('.plot:not(.js-plotly-plot)').length === 0"


class Amount(NamedTuple):
    """How much, how often."""

    epochs: int
    repetitions: int


AMOUNTS = {Size.FULL: Amount(50, 5), Size.TINY: Amount(2, 1)}


def measure(size: Size = Size.FULL) -> list[Figure]:
    """Raises Unavailable without Chromium."""
    if find_chromium() is None:
        raise Unavailable("It needs Chromium: install it, or set CHROMIUM to its path.")
    folder = Path(tempfile.mkdtemp(prefix="midwatch-bench-"))
    try:
        return list(_measure(folder, AMOUNTS[size]))
    finally:
        shutil.rmtree(folder)


def _measure(folder: Path, amount: Amount) -> Iterator[Figure]:
    run = make_fake_run(folder / "run", amount.epochs, advanced=True)
    page = folder / "report.html"
    count = f"{amount.epochs} checkpoints"
    note = "advanced suite, 6 layers; the newest checkpoint in full, the others to choose"
    middle = Best(run.checkpoints()[amount.epochs // 2], "this benchmark")  # else the newest would be the best, too
    took = [_seconds(lambda: write_report(gather(run, middle), page)) for _ in range(amount.repetitions)]
    yield median_figure(f"report of {count}", took, "s", bar="<= 30", note=note)
    yield Figure(name=f"its size, {count}", value=page.stat().st_size / 1e6, unit="MB", bar="<= 20", note=note)  # type: ignore[arg-type]
    took, chosen, trouble = _opened(page)
    yield Figure(name="opened, every figure drawn", value=took, unit="s", note="headless Chromium, offline")
    yield Figure(name="another checkpoint chosen, its figures drawn", value=chosen, unit="s", note="likewise")
    name = "requests to a network, and errors in the console"
    yield Figure(name=name, value=trouble, bar="== 0", note="headless Chromium, offline")  # type: ignore[arg-type]
    took = [_seconds(lambda: _exported(run, folder / "tables")) for _ in range(amount.repetitions)]
    yield median_figure(f"tables of {count} as Parquet", took, "s", note="units and edges: every one")


def _seconds(work: Any) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _exported(run: Run, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    write_tables(run, folder, "parquet", [])


def _opened(page: Path) -> tuple[float, float, int]:
    """Seconds until all is drawn; until all of a chosen checkpoint is; requests that leave the file, and console
    errors."""
    trouble: list[str] = []
    with chromium() as browser:
        opened = browser.new_context(offline=True).new_page()
        opened.on("console", lambda said: trouble.append(said.text) if said.type == "error" else None)
        opened.on("pageerror", lambda error: trouble.append(str(error)))
        opened.on("request", lambda asked: trouble.append(asked.url) if asked.url.startswith("http") else None)
        started = time.perf_counter()
        opened.goto(page.as_uri())
        opened.evaluate(SCROLL)
        opened.wait_for_function(DRAWN)
        took, started = time.perf_counter() - started, time.perf_counter()
        opened.select_option("#checkpoint", index=1)
        opened.wait_for_selector("#chosen figure")
        opened.evaluate("window.dispatchEvent(new Event('beforeprint'))")
        opened.wait_for_function(DRAWN)
        return took, time.perf_counter() - started, len(trouble)
