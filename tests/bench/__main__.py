"""Run the benchmarks, or those named: `python -m tests.bench [NAME ...]`; prints one Markdown table."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from pathlib import Path

ON_DEMAND = {"decoder_baseline", "ranking"}
"""Train large judges, or long, and take ten minutes and more: only where they are named."""
NAMES = [m.name for m in pkgutil.iter_modules([str(Path(__file__).parent)]) if not m.name.startswith("_")]


def main() -> None:
    print("| figure | measured | bar | reached | detail |\n|---|---|---|---|---|")
    for name in sys.argv[1:] or [each for each in NAMES if each not in ON_DEMAND]:
        for figure in importlib.import_module(f"tests.bench.{name}").measure():
            reached = {True: "yes", False: "NO", None: ""}[figure.passed]
            print(
                f"| {figure.name} | {figure.value:.3g} {figure.unit} | {figure.bar} | {reached} | {figure.detail} |"
            )
            sys.stdout.flush()


if __name__ == "__main__":
    main()
