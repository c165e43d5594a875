"""What `midwatch demo` can be told. Each docstring is the option's help."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from shared.settings import Settings


class DemoSettings(Settings):
    """Settings of the demo."""

    output_dir: Path = Path("runs/demo")
    """Directory of the demo's run; one that is there already is continued, or just shown when it is complete."""
    epochs: int = Field(3, ge=1)
    """Passes over the training prompts; a checkpoint is saved and analysed after each."""
    serve: bool = True
    """End with the dashboard; --no-serve prints a summary of what was found, and ends."""
    port: int = Field(8501, ge=1, le=65535)
    """Port of the dashboard on 127.0.0.1."""
    advanced: bool = False
    """Analyse neurons, attention heads and circuits too; about twice the time."""
    train_config: Path | None = None
    """YAML or TOML file of options for `midwatch train`, to try the demo on another model or other data."""
    watch_config: Path | None = None
    """YAML or TOML file of options for `midwatch watch`."""
