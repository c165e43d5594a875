"""docker/hashes/*.txt: what the images install is pinned as everywhere else, by digests, and complete."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = runpy.run_path(str(ROOT / "docker" / "hashes.py"))
ENTRY = re.compile(r"^([a-z0-9-]+)==(\S+)((?: \\\n    --hash=sha256:[0-9a-f]{64})+)\n", re.MULTILINE)
DOCKERFILE = (ROOT / "docker" / "Dockerfile").read_text(encoding="utf-8")


def pinned(image: str) -> dict[str, str]:
    """Package -> version; every line but the heading belongs to one."""
    text = (ROOT / "docker" / "hashes" / f"{image}.txt").read_text(encoding="utf-8")
    heading, _, rest = text.partition("\n")
    assert heading.startswith("# ") and ENTRY.sub("", rest) == ""
    return {name: version for name, version, _ in ENTRY.findall(rest)}


@pytest.mark.parametrize("image", SCRIPT["IMAGES"])
def test_they_are_what_constraints_say_and_all_that_is_needed(image: str) -> None:
    """Where it fails after a change of pyproject.toml or constraints.txt: `make hashes`."""
    extras, more = SCRIPT["IMAGES"][image]
    versions, found = SCRIPT["pins"](), pinned(image)
    assert found.keys() == (set() if extras is None else SCRIPT["needed"](extras)) | set(more)
    assert found == {name: versions[name] for name in found}


def test_every_image_is_installed_from_them_and_from_nothing_else_but_torch() -> None:
    installs = [line for line in DOCKERFILE.splitlines() if "pip install" in line and "/wheels" not in line]
    hashed = {
        name for line in installs for name in re.findall(r"--require-hashes --no-deps -r hashes/(\w+)\.txt", line)
    }
    assert hashed == SCRIPT["IMAGES"].keys()
    (other,) = [line for line in installs if "--require-hashes" not in line]
    assert other.endswith(" torch")
    assert "!docker/hashes" in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()


def test_the_dashboard_needs_no_torch_and_the_analyzer_what_torch_needs() -> None:
    assert not {"torch", "sympy", "transformers"} & pinned("dashboard").keys()
    assert {"sympy", "filelock", "prometheus-client"} <= pinned("analyzer").keys()
