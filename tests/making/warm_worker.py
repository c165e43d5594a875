"""All that a worker imports, and does but once: for the fork server, whose children then start where it ends.

Importing it analyses one tiny checkpoint. No gradient is taken: its threads would not survive a fork.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from analyzer.jobs.messages import WorkerOptions
from analyzer.worker.__main__ import prepare
from tests.making.job_bench import Bench
from tests.making.runs import describe, judge_template
from tests.making.supervised import WANTED

prepare(WorkerOptions(nice=0))
with tempfile.TemporaryDirectory() as folder:
    bench = Bench(describe(Path(folder, "run")), judge_template(Path(folder)), WorkerOptions(nice=0))
    bench.add(10)
    assert [event for event in bench.do(bench.job(10, analyses=list(WANTED))) if event.kind == "committed"]
