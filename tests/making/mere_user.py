"""Being refused what the mode of a file refuses, also where tests run as root."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PASSES_BY_MODES = 1 << 1 | 1 << 2
"""CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH, from linux/capability.h."""
VERSION = 0x20080522
"""_LINUX_CAPABILITY_VERSION_3."""


class _Header(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


class _Sets(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint32) for name in ("effective", "permitted", "inheritable")]


@contextmanager
def mere_user() -> Iterator[None]:
    """Inside, this thread may do with files what their modes say, as every user but root."""
    if os.geteuid() != 0:
        yield
        return
    if sys.platform != "linux":
        pytest.skip("root may read everything here")
    libc, header, sets = ctypes.CDLL(None, use_errno=True), _Header(VERSION, 0), (_Sets * 2)()
    if libc.capget(ctypes.byref(header), sets) != 0:
        pytest.skip("capabilities cannot be laid down here")
    before = sets[0].effective
    sets[0].effective = before & ~PASSES_BY_MODES
    assert libc.capset(ctypes.byref(header), sets) == 0
    try:
        yield
    finally:
        sets[0].effective = before
        assert libc.capset(ctypes.byref(header), sets) == 0


@contextmanager
def closed(*paths: Path) -> Iterator[None]:
    """Inside, nobody but root may open these; their modes come back, so that a test's folder can be deleted."""
    before = [path.stat().st_mode for path in paths]
    for path in paths:
        path.chmod(0)
    try:
        with mere_user():
            yield
    finally:
        for path, mode in zip(paths, before, strict=True):
            path.chmod(mode)
