"""The command `midwatch`: adds each component's commands. The only place that knows all of them.

Every `<component>/cli.py` imports light modules only; torch and streamlit are imported when a command needs them.
"""

from __future__ import annotations

import importlib

import typer

from shared.cli import Panels, run_app
from shared.version import __version__

COMPONENTS = ("trainer", "analyzer", "dashboard", "journeys")


class Commands(Panels):
    """All commands, in the order in which somebody meets them."""

    panels = {  # noqa: RUF012 (as click's own class attributes)
        "Whole journeys": ("demo", "pipeline"),
        "Train": ("prepare", "train"),
        "Analyse": ("watch", "analyze", "mirror", "init", "render"),
        "Test": ("evaluate", "attack", "ask"),
        "Look": ("dashboard", "overview", "compare", "failures", "status"),
        "Hand on": ("report", "export", "track"),
        "Mend": ("doctor", "retry", "cancel"),
    }


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # its boxes cut long options on a terminal of 80 columns
    help="Watch a safety judge learn: train, analyse every checkpoint beside the training, and look inside.",
)


def _version(show: bool) -> None:
    if show:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    """Watch a safety judge learn."""


for component in COMPONENTS:
    importlib.import_module(f"{component}.cli").add_commands(app)


def main() -> None:
    """Entry point of the `midwatch` script."""
    run_app(app)


if __name__ == "__main__":
    main()
