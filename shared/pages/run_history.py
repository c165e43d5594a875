"""What figures over a whole run read: each result comes from disk once a process, however often they are drawn.

An analyzer draws them anew after every checkpoint, and of 500 checkpoints reading takes longer than drawing.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from pathlib import Path

from shared.checkpoint_places import in_order
from shared.errors import SchemaError
from shared.files import read_record
from shared.results import ResultRecord
from shared.results_index import ResultsIndex
from shared.run import Run
from shared.views.over_run.run_results import without_samples

MOST_KEPT = 4096
"""Results kept in memory, without their samples: some 10 kB each."""


def history(run: Run, analyses: Collection[str]) -> list[ResultRecord]:
    """The newest readable result of each of `analyses` at each checkpoint, by step, without display samples.

    One that cannot be read is reported where it is shown, and must not hide the others.
    """
    index = _index(str(run.results))
    index.refresh()
    files, found = index.files(), []
    for name in sorted(analyses):
        for checkpoint in in_order(files, run.places()):
            file = files[checkpoint].get(name)
            try:
                found += [_read(file.path, file.mtime_ns)] if file is not None else []
            except (SchemaError, OSError):
                continue
    return sorted(found, key=lambda record: record.step)


@lru_cache(maxsize=4)
def _index(results: str) -> ResultsIndex:
    return ResultsIndex(Path(results))


@lru_cache(maxsize=MOST_KEPT)
def _read(path: str, mtime_ns: int) -> ResultRecord:
    return without_samples(read_record(Path(path), ResultRecord))
