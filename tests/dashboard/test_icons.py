"""The smaller font of icons has every icon that can be drawn: an absent one would stand there as its name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import streamlit

from dashboard import icons
from tests.dashboard import scenes
from tests.dashboard.browser import chromium, find_chromium, open_page, serving
from tests.making.icons import named

WIDTHS = """async (names) => {
  const font = '24px "Material Symbols Rounded"';
  await document.fonts.load(font);
  const paper = document.createElement('canvas').getContext('2d');
  paper.font = font;
  return names.map((name) => paper.measureText(name).width);
}"""
MAPPED = {"star_filled"}
"""Streamlit's own names, which it writes otherwise."""


@pytest.mark.browser
@pytest.mark.skipif(find_chromium() is None, reason="no Chromium on this machine (set CHROMIUM to its path)")
def test_every_icon_that_is_named_is_one_sign(tmp_path: Path) -> None:
    assert streamlit.__version__ == icons.MADE_FOR, "make the font anew: tests/making/icons.py"
    scenes.advanced(tmp_path, 2, "judge")
    with serving(tmp_path) as server, chromium() as browser:
        sizes: list[int] = []

        def got(answer: Any) -> None:
            if "MaterialSymbols" in answer.url:
                sizes.append(int(answer.headers["content-length"]))

        address = server.at("training", run="judge")
        watched = open_page(browser, address, lambda page: page.on("response", got))
        watched.wait_for_figure()
        watched.settle()
        drawn = watched.page.get_by_test_id("stIconMaterial").all_inner_texts()
        asked = sorted({*named(), *drawn, "chevron_left", "compare_arrows"} - MAPPED - {""})
        widths = dict(zip(asked, watched.page.evaluate(WIDTHS, asked), strict=True))
        none = watched.page.evaluate(WIDTHS, ["xylophone_of_glass"])[0]
    assert sizes == [icons.FILE.stat().st_size] and none > 30, "what is no icon is letters"
    assert {name: width for name, width in widths.items() if round(width, 2) != 24} == {}
