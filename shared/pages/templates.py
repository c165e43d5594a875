"""What the pages are made of: the templates beside this file, and the one environment that fills them.

Whatever a template prints is text, escaped; the exceptions are this package's own CSS and JavaScript, and JSON that
has been through `script_json`. Nothing from data becomes Markup in another way.
"""

from __future__ import annotations

import base64
import hashlib
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from shared.findings.text import DEFINED, clean


def _printable(value: object) -> object:
    """What a template prints, before it is escaped: no control, bidi or lone surrogate character in it."""
    return value if isinstance(value, Markup) else clean(str(value))


_ENVIRONMENT = Environment(
    loader=PackageLoader("shared.pages", ""),
    autoescape=True,
    undefined=StrictUndefined,
    finalize=_printable,
    trim_blocks=True,
    keep_trailing_newline=True,
    auto_reload=False,
)


_ENVIRONMENT.globals["defined"] = DEFINED


def fill(template: str, **values: object) -> str:
    """The page that `template` gives with these values. Raises UndefinedError where it wants one more."""
    return _ENVIRONMENT.get_template(template).render(values)


def script_json(text: str) -> Markup:
    """JSON for a script element, which no `</script>` or `<!--` inside a string can end."""
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))  # noqa: S704


def own(name: str) -> Markup:
    """A file of this package as it is, by its path in it."""
    return Markup(resources.files("shared.pages").joinpath(name).read_text("utf-8"))  # noqa: S704


def sha256_of(script: str) -> str:
    """By which a page's Content-Security-Policy admits a script. Browsers read line breaks as one line feed."""
    text = script.replace("\r\n", "\n").replace("\r", "\n")
    return base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode()


STYLE = own("page.css")
SCRIPT = own("page.js")
"""The only script of a page beside plotly.min.js."""
SCRIPT_SHA256 = sha256_of(SCRIPT)
"""By which the page's Content-Security-Policy admits it."""
