"""Every page that the navigation has: how long it takes, its bytes, and how many words stand beside a figure."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from typing import Any

from tests.bench import Figure, median_figure
from tests.dashboard.browser import Server, Watched, open_page, wait_until

LIMIT_S = 120.0
DONE = "() => document.querySelector('[data-testid=stApp]')?.dataset.testScriptState === 'notRunning'"
"""Whether the page's script has run to its end."""
WORDS = """() => {
  const low = innerHeight, panels = [...document.querySelectorAll('[class*="st-key-panel-"]')];
  const inside = panels.filter((each) => each.getBoundingClientRect().top < low);
  const texts = inside.flatMap((each) => [...each.querySelectorAll('[data-testid=stText]')])
    .filter((each) => each.checkVisibility() && each.getBoundingClientRect().top < low);
  return texts.map((each) => each.innerText.split(/\\s+/).filter(Boolean).length).reduce((a, b) => a + b, 0);
}"""
"""Words that show beside the figures above the fold."""


def pages_of(browser: Any, server: Server) -> list[str]:
    """The addresses' last parts, in the navigation's order."""
    watched = open_page(browser, server.url)
    links = watched.page.locator("[data-testid=stSidebarNavLink]")
    wait_until(lambda: links.count() > 0, LIMIT_S)
    found = [str(link.get_attribute("href")).rsplit("/", 1)[-1] for link in links.all()]
    watched.page.context.close()
    return found


def settled(watched: Watched) -> None:
    """Wait until the page has drawn itself."""
    wait_until(lambda: watched.page.evaluate(DONE), LIMIT_S)


def every_page(browser: Any, server: Server, epochs: int, runs: int, count: int) -> Iterator[Figure]:
    """Each page cold, `count` times; what goes outside and what raises is counted over all of them."""
    outside, raised = 0, 0
    for page in pages_of(browser, server):
        times = []
        for _ in range(count):
            start = time.perf_counter()
            watched = open_page(browser, server.at(page))
            settled(watched)
            times.append(time.perf_counter() - start)
            outside, raised = outside + len(watched.outside), raised + len(watched.exceptions())
            watched.page.context.close()
        name = f"page {page or 'overview'}, cold browser, {epochs} epochs, {runs} runs"
        yield median_figure(name, times, "s", note="until its script has ended")
    what = f"over all pages, {epochs} epochs, {runs} runs"
    yield Figure(name=f"requests outside, {what}", value=outside, bar="== 0")  # type: ignore[arg-type]
    yield Figure(name=f"exceptions, {what}", value=raised, bar="== 0")  # type: ignore[arg-type]


def words_beside(browser: Any, server: Server, tabs: tuple[str, ...]) -> Figure:
    """The most words beside the figures above the fold, 1440 x 900, over the tabs."""
    found, small = {}, {"width": 1440, "height": 900}
    for tab in tabs:
        watched = open_page(browser, server.at("training", tab=tab), lambda page: page.set_viewport_size(small))
        settled(watched)
        found[tab] = watched.page.evaluate(WORDS)
        watched.page.context.close()
    worst = max(found, key=lambda tab: found[tab])
    note = f"{worst}; median of {len(found)} tabs {statistics.median(found.values()):.0f}; 1440 x 900"
    return Figure(name="words beside figures above the fold, worst tab", value=found[worst], bar="<= 40", note=note)  # type: ignore[arg-type]


def first_load(browser: Any, server: Server) -> Iterator[Figure]:
    """Bytes that a browser without a cache receives until the first page and the first tab are drawn."""
    for page, name in (("", "Overview"), ("training", "Training Visualizations")):
        sizes: list[float] = []

        def listen(opened: Any, sizes: list[float] = sizes) -> None:
            session = opened.context.new_cdp_session(opened)
            session.send("Network.enable")
            session.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))

        watched = open_page(browser, server.at(page), listen)
        watched.wait_for_figure(LIMIT_S)
        settled(watched)
        watched.page.context.close()
        value = sum(sizes) / 1e6
        note = f"{len(sizes)} files, gzip; WebSocket not counted"
        yield Figure(name=f"first load over the wire, {name}", value=value, unit="MB", bar="<= 2.5", note=note)  # type: ignore[arg-type]
