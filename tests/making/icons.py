"""Makes dashboard/icons.woff2 anew, for another Streamlit: `python -m tests.making.icons`, with brotli installed.

Material Symbols is Google's, under the Apache License 2.0.
"""

from __future__ import annotations

import re
from pathlib import Path

import streamlit

from dashboard import icons

STATIC = Path(streamlit.__file__).parent / "static" / "static"
_NAMED = re.compile(r":material/([a-z0-9_]+)")
_QUOTED = re.compile(r"[\"']([a-z][a-z0-9_]+)[\"']")


def named() -> set[str]:
    """Names of icons in Streamlit's scripts and in the dashboard's files."""
    files = [*(STATIC / "js").glob("*.js"), *icons.FILE.parent.rglob("*.py")]
    return {name for file in files for name in _NAMED.findall(file.read_text("utf-8"))}


def quoted() -> set[str]:
    """Words that a file of the dashboard may make such a name of."""
    files = icons.FILE.parent.rglob("*.py")
    return {word for file in files for word in _QUOTED.findall(file.read_text("utf-8"))}


def make() -> None:
    """Write the font: of Streamlit's own what `named` and `quoted` can ask for."""
    from fontTools import subset
    from fontTools.ttLib import TTFont

    (path,) = (STATIC / "media").glob(icons.STREAMLITS)
    font = TTFont(path)
    drawn = _icons(font)
    options = subset.Options(layout_closure=False, layout_features=["*"], glyph_names=False, hinting=False)
    cutter = subset.Subsetter(options)
    wanted = {drawn[name] for name in named() | quoted() if name in drawn}
    cutter.populate(glyphs=wanted, text="abcdefghijklmnopqrstuvwxyz0123456789_ ")
    cutter.subset(font)
    font.flavor = "woff2"
    font.save(icons.FILE)


def _icons(font) -> dict[str, str]:
    """The glyph of each name: Material Symbols makes one of the name's letters."""
    letters = {glyph: chr(code) for code, glyph in font.getBestCmap().items()}
    found = {}
    for lookup in font["GSUB"].table.LookupList.Lookup:
        for table in (getattr(each, "ExtSubTable", each) for each in lookup.SubTable):
            for first, joined in getattr(table, "ligatures", {}).items():
                for each in joined:
                    name = "".join(letters.get(glyph, "?") for glyph in (first, *each.Component))
                    found[name] = each.LigGlyph
    return found


if __name__ == "__main__":
    make()
