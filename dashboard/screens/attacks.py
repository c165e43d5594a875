"""The page *Attacks*: where `midwatch attack` fooled the judge, how, and what became of it over the run."""

from __future__ import annotations

import streamlit as st

from dashboard.chrome.frame import Frame
from dashboard.reading import cached
from dashboard.reading.condition import command
from dashboard.reading.snapshot import Snapshot
from dashboard.widgets.drawing import notice, plain
from dashboard.widgets.panels import show_panels
from shared.attacks import AttackPlace, all_attacks
from shared.errors import SchemaError
from shared.findings.attack import AttackArchive
from shared.findings.attack_sentences import depth, extent, headline
from shared.views.attacked.panels import attack_panels
from shared.views.attacked.words import example_rows, name_of, table_rows

MOST_ROWS = 500
"""Failures of the table; a larger archive is in attacks.jsonl."""


def draw(frame: Frame) -> None:
    """The page, top to bottom."""
    places = sorted(all_attacks(frame.snapshot.run), key=lambda place: -cached.stamp(place.archive))
    if not places:
        _none_yet(frame.snapshot)
        return
    place = st.selectbox("Attack on", places, format_func=lambda each: each.checkpoint)
    try:
        found = cached.attack(place)
    except (SchemaError, OSError) as error:
        with notice("warning", "This attack cannot be read", "unreadable"):
            plain(str(error), "unreadable")
        return
    _words(found)
    show_panels(cached.attack_panels(place), lambda: attack_panels(found), f"attack-{place.checkpoint}")
    _examples(found)
    _failures(found, place)


def _none_yet(snapshot: Snapshot) -> None:
    with notice("note", "Nothing is attacked yet", "none"):
        st.markdown("Search for prompts that the best checkpoint gets wrong, from the run's held-out test prompts:")
        st.code(command("attack", snapshot.run), language=None)
        st.markdown("Or from training prompts, so that what is found may join the next training:")
        st.code(command("attack", snapshot.run, "--data", "prepared/train.jsonl"), language=None)


def _words(found: AttackArchive) -> None:
    plain(f"Attack on {found.label}, from {found.seeds_from}", "attack-title", "heading")
    plain(f"{headline(found)}.", "attack-headline")
    for direction in found.directions:
        plain(f"{name_of(direction)}: {extent(direction)}.", f"attack-extent-{direction.label}", "muted")
    if said := depth(found):
        plain(said, "attack-depth", "muted")
    for number, sentence in enumerate(found.notes):
        with notice("note", "Note", f"attack-note-{number}"):
            plain(sentence, f"attack-note-{number}")


def _examples(found: AttackArchive) -> None:
    for direction in found.directions:
        rows = example_rows(direction, found)
        if rows:
            st.subheader(f"Examples: {name_of(direction).lower()}")
            st.dataframe(rows, hide_index=True, alt=f"Examples, {name_of(direction)}, each with its lineage")


def _failures(found: AttackArchive, place: AttackPlace) -> None:
    rows = table_rows(found)
    if not rows:
        return
    with st.expander(f"All {len(rows)} failures"):
        st.dataframe(rows[:MOST_ROWS], hide_index=True, alt="Every failure with its seed, technique and rules")
        plain(f"As --data reads them: {place.attacks}", "attack-file", "small")
