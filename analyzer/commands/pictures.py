"""Figures as pictures for papers: kaleido draws them in this machine's Chrome or Chromium, without a network."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from analyzer.commands.picture_formats import Picture
from shared.errors import MidwatchError, reason_of
from shared.views import Panel

WIDTH, SCALE, LIMIT_S = 1000, 2, 120
"""Pixels of a picture's width, by how much more of them a PNG has, and seconds that one may take."""


class NoPictures(MidwatchError):
    """This machine cannot draw pictures; the message says what it lacks."""


class Named(NamedTuple):
    """A figure and what its files are called, without the ending."""

    stem: str
    panel: Panel


def write_pictures(folder: Path, figures: Sequence[Named], formats: Sequence[Picture]) -> list[Path]:
    """Write every figure into `folder` in every format. Raises NoPictures in one sentence, OSError."""
    if importlib.util.find_spec("kaleido") is None:
        raise NoPictures("pictures need kaleido; run `pip install 'midwatch[pictures]'`")
    import kaleido.errors as known  # here: it starts nothing, but takes its time to load
    from choreographer.errors import BrowserDepsError

    for chatty in ("kaleido", "choreographer"):  # how their browser starts is nobody's news
        logging.getLogger(chatty).setLevel(logging.ERROR)
    try:
        return asyncio.run(_drawn(folder, figures, formats))
    except known.ChromeNotFoundError as error:
        raise NoPictures(
            "pictures need Chrome or Chromium, which was not found; install it, or set BROWSER_PATH to it"
        ) from error
    except (known.BrowserFailedError, known.BrowserClosedError, BrowserDepsError, known.KaleidoError) as error:
        raise NoPictures(f"the browser that draws pictures failed ({reason_of(error)})") from error
    except TimeoutError as error:
        raise NoPictures(f"the browser drew no picture within {LIMIT_S} s") from error


async def _drawn(folder: Path, figures: Sequence[Named], formats: Sequence[Picture]) -> list[Path]:
    """plotly.js comes from the installed package, and no MathJax: nothing is fetched."""
    from kaleido import Kaleido

    written = []
    async with Kaleido(n=1, mathjax=False, timeout=LIMIT_S) as browser:
        folder.mkdir()
        for stem, panel in figures:
            for each in formats:
                path = folder / f"{stem}.{each}"
                height = panel.figure.layout.height or 500  # type: ignore[union-attr]
                scale = SCALE if each == "png" else 1
                await browser.write_fig(
                    panel.figure,
                    path=path,
                    opts={"format": each, "width": WIDTH, "height": int(height), "scale": scale},
                )
                written.append(path)
    return written
