"""How Midwatch starts a Python of its own, so that nothing in the working directory becomes its code.

People call `midwatch` in run directories and on shared volumes, and `python -m` looks for modules there first. A
child gets `-P`, so that it doesn't; a PYTHONPATH in which nothing means the working directory; and, where nothing
it is told is relative, a working directory that nobody else writes in.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

NEUTRAL = Path(Path(sys.executable).anchor)
"""Working directory of a child: the root directory (on Windows that of Python's drive). Streamlit and the dynamic
loader read the working directory, too, and `-P` doesn't concern them."""
ROOT = Path(__file__).resolve().parents[1]
"""Where the packages of this very Midwatch lie."""
INSTALLED = ("site-packages", "dist-packages")


def python_command(module: str, *words: str) -> list[str]:
    """`python -m MODULE WORDS...` in this Python, without the working directory on the import path."""
    return [sys.executable, "-P", "-m", module, *words]


def child_environment(**more: str) -> dict[str, str]:
    """Our environment for a child and its children, with `more`; they import the Midwatch that we are.

    An empty entry of PYTHONPATH (`PYTHONPATH=$PYTHONPATH:/lib`) means the working directory: it is dropped. What is
    named, also relative to the working directory, was meant.
    """
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    path = [str(Path(entry).absolute()) for entry in given if entry]
    if ROOT.name not in INSTALLED:  # a checkout; in front of the standard library an installation has no place
        path.append(str(ROOT))
    environment = os.environ | {"PYTHONSAFEPATH": "1", "PYTHONPATH": os.pathsep.join(dict.fromkeys(path))} | more
    if not path:
        del environment["PYTHONPATH"]
    return environment
