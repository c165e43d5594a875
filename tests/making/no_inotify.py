"""A Python to which the system refuses file events, in a user namespace whose limits concern nobody else."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from subprocess import CompletedProcess
from typing import Literal

import pytest

ROOT = Path(__file__).parents[2]
INSIDE = ["unshare", "--user", "--map-root-user", "sh", "-c"]
NO_INOTIFY = 'echo 0 >/proc/sys/user/max_inotify_{} && exec "$@"'


def without_inotify(limit: Literal["instances", "watches"], code: str, *words: object) -> CompletedProcess[str]:
    """Run `code` with `words` as its arguments; skips the test where no such namespace may be made."""
    if shutil.which("unshare") is None:
        pytest.skip("there is no `unshare` here")
    inside = [*INSIDE, NO_INOTIFY.format(limit), "sh"]
    if subprocess.run([*inside, "true"], capture_output=True).returncode:
        pytest.skip("no user namespace may be made here")
    command = [*inside, sys.executable, "-c", code, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
