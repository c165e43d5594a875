"""The dashboard: `midwatch dashboard`, or `streamlit run dashboard/app.py`.

Each page reads committed results and the analyzer's status from the files of a run; nothing here computes.
"""

from __future__ import annotations

import sys
from pathlib import Path

ICON, LOGO = (str(Path(__file__).with_name(name)) for name in ("icon.svg", "logo.svg"))
ROOT = str(Path(__file__).resolve().parent.parent)
if ROOT not in sys.path:  # Streamlit puts this folder first, not the one above, where `shared` lies
    sys.path.insert(0, ROOT)

import streamlit as st  # noqa: E402

from dashboard.chrome import pages  # noqa: E402
from dashboard.chrome.frame import framed  # noqa: E402
from dashboard.chrome.login import require_login  # noqa: E402
from dashboard.screens import attacks as attacks_screen  # noqa: E402
from dashboard.screens import compare as compare_screen  # noqa: E402
from dashboard.screens import evaluation as evaluation_screen  # noqa: E402
from dashboard.screens import evolution as evolution_screen  # noqa: E402
from dashboard.screens import failures as failures_screen  # noqa: E402
from dashboard.screens import overview as overview_screen  # noqa: E402
from dashboard.screens import prompt as prompt_screen  # noqa: E402
from dashboard.screens import service  # noqa: E402
from dashboard.screens import training as training_screen  # noqa: E402


def overview() -> None:
    framed("Overview", overview_screen.draw, alerts_first=False)


def overview_by_name() -> None:
    """`/overview`, which people guess, since the other pages' addresses are their names."""
    st.switch_page(PAGES["Overview"], query_params=st.query_params.to_dict())


def training() -> None:
    framed("Training Visualizations", training_screen.draw)


def evolution() -> None:
    framed("Evolution", evolution_screen.draw)


def compare() -> None:
    framed("Compare", compare_screen.draw, alerts_first=False)


def failures() -> None:
    framed("Failures", failures_screen.draw)


def evaluation() -> None:
    framed("Evaluation", evaluation_screen.draw)


def attacks() -> None:
    framed("Attacks", attacks_screen.draw)


def prompt() -> None:
    framed("Test a prompt", prompt_screen.draw)


def analyzer() -> None:
    framed("Analyzer", service.draw)


st.set_page_config(page_title="Midwatch", page_icon=ICON, layout="wide", initial_sidebar_state=250)
st.logo(LOGO, size="large")
require_login()
PAGES = {
    "Overview": st.Page(overview, title="Overview", icon=":material/trophy:", url_path="first", default=True),
    "Training Visualizations": st.Page(
        training, title="Training Visualizations", icon=":material/insights:", url_path="training"
    ),
    "Evolution": st.Page(evolution, title="Evolution", icon=":material/timeline:", url_path="evolution"),
    "Compare": st.Page(compare, title="Compare", icon=":material/compare_arrows:", url_path="compare"),
    "Failures": st.Page(failures, title="Failures", icon=":material/error_outline:", url_path="failures"),
    "Evaluation": st.Page(evaluation, title="Evaluation", icon=":material/rule:", url_path="evaluation"),
    "Attacks": st.Page(attacks, title="Attacks", icon=":material/gpp_maybe:", url_path="attacks"),
    "Test a prompt": st.Page(prompt, title="Test a prompt", icon=":material/chat:", url_path="prompt"),
    "Analyzer": st.Page(analyzer, title="Analyzer", icon=":material/memory:", url_path="analyzer"),
}
pages.remember(PAGES)
by_name = st.Page(overview_by_name, title="Overview", url_path="overview", visibility="hidden")
st.navigation([*PAGES.values(), by_name]).run()
