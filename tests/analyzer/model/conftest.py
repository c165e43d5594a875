"""A tiny judge on disk for the tests of loading."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.making.tiny import save_tiny_judge


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return save_tiny_judge(tmp_path / "checkpoint-10", "bert")
