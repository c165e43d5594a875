"""Write docs/export.md from the tables themselves (`make docs`); a test keeps the two equal."""

from __future__ import annotations

from pathlib import Path

from shared.tables.registry import Described, described

HEAD = """# Export: a run's results as tables and pictures

```bash
midwatch export RUN --to DIR
midwatch export RUN --to DIR --format csv --pictures pdf
```

writes a folder that must not be there yet: it appears whole once all is done, or not at all.

- **Tables** are tidy: one observation a row, the same columns at every checkpoint. Parquet by default (each field's
  metadata says what it holds); CSV is UTF-8 with empty cells for what is missing, and text that a spreadsheet would
  compute gets an apostrophe before it. A result that cannot be read is named, and the rest goes on.
- **Pictures** of the newest, the best and the first checkpoint and of the whole run, in `pictures/`, as PNG, SVG
  or PDF (`--pictures png,svg,pdf`, `none` for none). They need `pip install 'midwatch[pictures]'` (kaleido) and a
  Chrome or Chromium, found by its usual names or by `BROWSER_PATH`; without one a sentence says so, and the tables
  are there.
- **`export.json`** holds what stands below, for programs.

Numbers with a 95 % interval have three columns: `auroc`, `auroc_low`, `auroc_high`. The checkpoints' tensors are no
part of this; `_midwatch/results/` has them as safetensors. [numbers.md](numbers.md) says how each number is
defined, and after which paper.
"""
KINDS = {"text": "text", "integer": "integer", "number": "number", "truth": "true or false"}


def page() -> str:
    """The whole text."""
    return HEAD + "".join(f"\n## {table.name}\n\n{_section(table)}" for table in described())


def _section(table: Described) -> str:
    lines = [f"One row is {table.row}.", "", "| column | type | what it holds |", "|---|---|---|"]
    lines += [f"| `{column.name}` | {KINDS[column.kind]} | {column.words} |" for column in table.columns]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    Path(__file__).with_name("export.md").write_text(page(), encoding="utf-8")
