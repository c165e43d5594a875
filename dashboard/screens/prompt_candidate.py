"""Marks an asked prompt as a candidate for the probe set: in a file of its own, never in the run's."""

from __future__ import annotations

import hashlib
import json
import shlex
from typing import get_args

import streamlit as st

from dashboard.chrome import desk
from dashboard.chrome.frame import Frame
from dashboard.reading.condition import command
from dashboard.widgets.drawing import plain
from shared.errors import MidwatchError
from shared.findings.asked import AskedResult
from shared.prompts.candidates import add_candidate
from shared.records import Label
from shared.requests.record import AskedPrompt
from shared.run import Run

SAID = "asked-candidate"
"""In session state: what became of the last prompt that was added, by its key."""


def candidate(frame: Frame, name: str, prompt: AskedPrompt, found: AskedResult) -> None:
    """The choice of the right label, the button, and how the file is used; `name` is that of the request."""
    run = frame.snapshot.run
    key = prompt_key(run, name, prompt)
    with st.expander("Add to probes", key="candidate", icon=":material/playlist_add:"):
        plain(
            f"The judge says {found.prompt.verdict}. Say what is right, and the prompt is put into a file of "
            "candidates. The run's own probe set stays as it is.",
            "candidate-what",
            "muted",
        )
        with st.container(horizontal=True, vertical_alignment="bottom"):
            label = st.selectbox(
                "It is",
                get_args(Label),
                index=None,
                placeholder="safe or unsafe",
                width=160,
                key=f"right-label-{key}",
            )
            stop = label is None or bool(desk.why_not(run))
            st.button(
                "Add to candidates",
                key="add-candidate",
                disabled=stop,
                on_click=_add,
                args=(run, key, prompt, label),
            )
        if said := st.session_state.get(SAID, {}).get(key):
            plain(said, "candidate-said")
        if run.candidate_probes.is_file():
            st.caption(
                "To analyse checkpoints on the probe set with the candidates in it, as a question of its own:"
            )
            own = run.probes if run.probes.is_file() else run.assumed_probes
            joined = f"cat {shlex.quote(str(own))} {shlex.quote(str(run.candidate_probes))} > with_candidates.jsonl"
            st.code(
                f"{joined}\n{command('analyze', run, '--last', '1', '--probes', 'with_candidates.jsonl')}",
                language=None,
            )


def prompt_key(run: Run, name: str, prompt: AskedPrompt) -> str:
    """Of one prompt of one request of one run: nothing that is said or chosen of it stands beside another."""
    parts = (str(run.out), name, prompt.text, prompt.twin, prompt.response)
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]


def _add(run: Run, key: str, prompt: AskedPrompt, label: Label) -> None:
    try:
        said = add_candidate(run, prompt.text, label, prompt.response)
    except MidwatchError as error:
        said = str(error)
    except OSError as error:
        said = f"{run.candidate_probes} cannot be written ({error.strerror})."
    st.session_state[SAID] = {key: said}
