"""A stage for the supervisor's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.making.runs import describe, judge_template
from tests.making.stage import Stage


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return judge_template(tmp_path_factory.mktemp("judge"))


@pytest.fixture
def stage(tmp_path: Path, template: Path) -> Stage:
    return Stage(describe(tmp_path / "run"), template)
