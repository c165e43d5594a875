"""What may be named on the command line."""

from __future__ import annotations

import pytest

from analyzer.commands.run_names import checked_file_name


@pytest.mark.parametrize("name", ["", "DONE", ".done", "model ready.txt"])
def test_a_marker_is_the_name_of_a_file(name: str) -> None:
    assert checked_file_name(name) == name


@pytest.mark.parametrize("name", [".", "..", "a/b", "a\\b", "a\0b", "\n", "../x"])
def test_no_marker_leads_out(name: str) -> None:
    with pytest.raises(ValueError, match="is not a file's name"):
        checked_file_name(name)
