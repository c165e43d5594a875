"""The scripts that draw in the browser: sent once a page, by `dashboard.chrome.browser`, not with every figure."""

from __future__ import annotations

import json
from importlib import resources


def _file(name: str) -> str:
    return resources.files("dashboard.widgets").joinpath(name).read_text("utf-8")


DRAWN = ("words", "curves")
"""Each a script and its style sheet."""
_STYLES = json.dumps({name: _file(f"{name}.css") for name in DRAWN})
SCRIPT = "\n".join([f"const STYLES = {_STYLES};", *(_file(f"{name}.js") for name in DRAWN)])


def calling(function: str) -> str:
    """A component's script: it calls `window.FUNCTION`, as soon as that is there."""
    return """export default (given) => {
  let end, over = false;
  const draw = () => {
    if (over) { return; }
    if (window.FUNCTION) { end = window.FUNCTION(given); } else { requestAnimationFrame(draw); }
  };
  draw();
  return () => { over = true; if (end) { end(); } };
};""".replace("FUNCTION", function)
