"""CSV that no spreadsheet computes, and that gives every text back."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.csv_text import FORMULA, csv_bytes, harmless, plain


@pytest.mark.parametrize("text", ["=1+2", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "'=1", "''-1"])
def test_what_would_be_computed_gets_an_apostrophe(text: str) -> None:
    assert harmless(text) == f"'{text}"


@pytest.mark.parametrize("text", ["how do i", "'quoted'", "1-2", "", "a=b"])
def test_all_else_stays_as_it_is(text: str) -> None:
    assert harmless(text) == text


@given(st.text(alphabet="'=+-@\t\ra, \"\n"))
def test_every_text_comes_back_and_no_cell_begins_a_formula(text: str) -> None:
    assert plain(harmless(text)) == text
    assert not harmless(text).startswith(FORMULA)
    table = csv_bytes(["a", "b"], [{"a": text, "b": -1.5}]).decode()
    (row,) = list(csv.DictReader(io.StringIO(table, newline="")))
    assert plain(row["a"]) == text and row["b"] == "-1.5"


def test_what_a_row_lacks_is_empty_and_lone_surrogates_are_replaced() -> None:
    assert csv_bytes(["a", "b"], [{"b": "\ud800"}, {"a": None, "b": True}]) == b"a,b\r\n,?\r\n,True\r\n"
