"""Run benchmarks: `python -m tests.bench --help`."""

from __future__ import annotations

import argparse
import datetime
import sys
import time
from collections.abc import Sequence

from tests.bench import Size, Unavailable
from tests.bench._book import BENCH_JSON, NAMES, ON_DEMAND, measure_of, purpose, read_book, write_figures
from tests.bench._machine import this_machine
from tests.bench._tables import BENCHMARKS_MD, COLUMNS, cells, markdown, write_tables

HELP = """\
Measure Midwatch, write each figure to bench.json, and BENCHMARKS.md's tables from it.

  python -m tests.bench                       all but those on demand (what `make bench` does)
  python -m tests.bench edges suite           these two; the other figures stay as they are
  python -m tests.bench --tiny edges          does it still run? seconds, on a tiny judge; nothing is written
  python -m tests.bench --list                every benchmark, with what it measures
  python -m tests.bench --write               measure nothing; write the tables from bench.json

Ratios are measured in one run, turn about, and the median counts. Still, leave the machine alone meanwhile.
Use OMP_NUM_THREADS=1 HF_HUB_OFFLINE=1, as `make bench` does.

To add one: a module here with `measure(size) -> list[Figure]`, and a marker for its table in BENCHMARKS.md.
"""


def main(words: Sequence[str] | None = None) -> int:
    """0, also where a bar is missed: figures are no test. 2 for a wrong word, 1 if a named one can't run here."""
    parser = _parser()
    chosen = parser.parse_args(words)
    if unknown := sorted({*chosen.names} - {*NAMES}):
        parser.error(f"there is no benchmark {unknown[0]!r}; --list shows them")
    if chosen.list:
        print(
            "".join(f"{name:18}{'(on demand) ' * (name in ON_DEMAND)}{purpose(name)}\n" for name in NAMES), end=""
        )
        return 0
    if chosen.write:
        write_tables()
        print(f"{BENCHMARKS_MD.name} has the tables of {BENCH_JSON.name} ({len(read_book().figures)} figures).")
        return 0
    names = chosen.names or [name for name in NAMES if name not in ON_DEMAND]
    missing = []
    try:
        for place, name in enumerate(names, 1):
            if not _run(name, f"[{place}/{len(names)}] {name}", Size.TINY if chosen.tiny else Size.FULL):
                missing.append(name)
    finally:  # what was measured before a failure or Ctrl-C is in bench.json: the tables say the same
        if not chosen.tiny:
            write_tables()
    return 1 if chosen.names and missing else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench", description=HELP, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="benchmarks to run")
    parser.add_argument("--tiny", action="store_true", help="tiny judges, one repetition; nothing is written")
    parser.add_argument("--list", action="store_true", help="list the benchmarks")
    parser.add_argument("--write", action="store_true", help="only write BENCHMARKS.md's tables")
    return parser


def _run(name: str, title: str, size: Size) -> bool:
    """Measure one benchmark, print and (if whole) write its figures; False where it cannot run here."""
    print(f"{title}: {purpose(name)}", file=sys.stderr, flush=True)
    started = time.monotonic()
    try:
        figures = measure_of(name)(size)
    except Unavailable as reason:
        print(f"{title}: not run, its old figures stay. {reason}", file=sys.stderr, flush=True)
        return False
    if size is Size.TINY:  # judged by no bar
        figures = [figure.model_copy(update={"bar": None}) for figure in figures]
    else:
        write_figures(name, figures, this_machine(), datetime.datetime.now(datetime.UTC).date())
    missed = sum(figure.met is False for figure in figures)
    verdict = "" if size is Size.TINY else f", {missed} bars missed" if missed else ", no bar missed"
    took = time.monotonic() - started
    print(f"{title}: {len(figures)} figures in {took:.0f} s{verdict}", file=sys.stderr, flush=True)
    print(markdown((*COLUMNS, "note"), [(*cells(figure), figure.note) for figure in figures]), flush=True)
    return True


if __name__ == "__main__":
    raise SystemExit(main())
