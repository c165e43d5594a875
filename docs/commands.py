"""Write docs/commands.md from the commands themselves (`make docs`); a test keeps the two equal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from midwatch import app

HEAD = """# Commands

Written by `make docs` from the options' own help; don't edit it by hand. Every command also takes
`--config FILE` with any of its options, as in `epochs: 3` (YAML) or `epochs = 3` (TOML); the command line wins.
"""


def commands() -> dict[str, Any]:
    """Every command of `midwatch`, by name."""
    group = typer.main.get_command(app)
    return dict(sorted(group.commands.items()))  # type: ignore[attr-defined]


def page() -> str:
    """The whole text."""
    return HEAD + "".join(f"\n## midwatch {name}\n\n{_section(command)}" for name, command in commands().items())


def _section(command: Any) -> str:
    example = (command.epilog or "").rpartition("\n")[2].strip()
    lines = [" ".join((command.help or "").split()), ""]
    lines += ["```bash", example, "```", ""] if example else []
    lines += ["| option | what it does |", "|---|---|"]
    before = None
    for parameter in sorted(command.params, key=lambda each: each.param_type_name != "argument"):
        if parameter.name in ("config", "help"):
            continue
        section = getattr(parameter, "rich_help_panel", None)
        if section and section != before:
            lines.append(f"| **{section}** | |")
        before = section
        lines.append(f"| {_name(parameter)} | {_words(parameter.help or '')} |")
    return "\n".join(lines) + "\n"


def _name(parameter: Any) -> str:
    if parameter.param_type_name == "option":
        return ", ".join(f"`{option}`" for option in [*parameter.opts, *parameter.secondary_opts])
    return f"`{(parameter.name or '').upper()}{'...' if parameter.nargs == -1 else ''}`"


def _words(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    Path(__file__).with_name("commands.md").write_text(page(), encoding="utf-8")
