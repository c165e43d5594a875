"""The icons that Streamlit and these pages use, as a font of 11 kB: Streamlit's own, of 4,000 icons, has 375.

Another Streamlit may use icons that are not in it, so with any other its own font is sent.
"""

from __future__ import annotations

from pathlib import Path

import streamlit

MADE_FOR = "1.67.0"
"""The Streamlit whose scripts were searched for icons."""
STREAMLITS = "MaterialSymbols-Rounded.*.woff2"
"""Its font's file."""
FILE = Path(__file__).with_name("icons.woff2")


def smaller_font(media: Path, version: str = streamlit.__version__) -> dict[str, Path]:
    """What is sent in place of a file in Streamlit's folder of fonts and pictures, by that file's name."""
    return {each.name: FILE for each in media.glob(STREAMLITS)} if version == MADE_FOR else {}
