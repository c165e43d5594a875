"""Draw the floors in CONTRIBUTING.md from the import contracts (`make docs`); a test keeps the two equal."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "CONTRIBUTING.md"
START, END = "<!-- floors: written by `make docs` from pyproject.toml -->\n", "<!-- /floors -->"


def contracts() -> dict[str, list[str]]:
    """Package -> its floors from the top down, as the contracts of kind "layers" name them."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    found = settings["tool"]["importlinter"]["contracts"]
    return {contract["containers"][0]: contract["layers"] for contract in found if contract["type"] == "layers"}


def picture() -> str:
    """A mermaid flowchart: a package a column, a box a room, an arrow from each floor to the one below it."""
    lines = ["```mermaid", "flowchart TB"]
    for package, floors in contracts().items():
        lines += [f"  subgraph {package}", "    direction TB"]
        for number, floor in enumerate(floors):
            lines.append(f'    {package}{number}["{floor.replace(" | ", " · ")}"]')
        lines.append("    " + " --> ".join(f"{package}{number}" for number in range(len(floors))))
        lines.append("  end")
    return "\n".join([*lines, "```"]) + "\n"


def page() -> str:
    """CONTRIBUTING.md with the picture of today's contracts."""
    text = DOCUMENT.read_text(encoding="utf-8")
    before, _, rest = text.partition(START)
    return f"{before}{START}{picture()}{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    DOCUMENT.write_text(page(), encoding="utf-8")
