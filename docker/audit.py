"""Look up every package of constraints.txt among known vulnerabilities (`make audit`): pip-audit, read strictly.

By itself pip-audit passes what it cannot look up, so that an index without advisories looks like a clean bill. Here
the exit code is 0 only where every package was looked up and none is known to be vulnerable, 1 where one is, and 2
where that cannot be told.
"""

import json
import subprocess
import sys
from pathlib import Path

LIST = Path(__file__).parents[1] / "constraints.txt"
NAMED = 5
"""Packages that a sentence names."""


def main(requirements: Path) -> int:
    """Print what was found; returns the exit code."""
    words = [
        sys.executable,
        "-m",
        "pip_audit",
        "--no-deps",
        "--disable-pip",
        "--format",
        "json",
        "-r",
        str(requirements),
    ]
    done = subprocess.run([*words, "--progress-spinner", "off"], capture_output=True, text=True)
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        last = (done.stderr.strip().splitlines() or ["no answer"])[-1]
        say(f"audit: the advisories cannot be reached ({last}); try again with a network.")
        return 2
    return report(packages)


def say(sentence: str) -> None:
    """One line on stdout."""
    sys.stdout.write(f"{sentence}\n")


def report(packages: list[dict]) -> int:
    """Print vulnerable packages and what could not be looked up; returns the exit code."""
    ill = [(each, vulnerability) for each in packages for vulnerability in each.get("vulns", [])]
    for each, vulnerability in ill:
        fixed = ", ".join(vulnerability["fix_versions"]) or "none yet"
        say(f"audit: {each['name']} {each['version']}: {vulnerability['id']}; fixed in: {fixed}")
    unknown = [each["name"] for each in packages if "skip_reason" in each]
    if unknown:
        named = ", ".join(unknown[:NAMED]) + (", ..." if len(unknown) > NAMED else "")
        say(
            f"audit: {len(unknown)} of {len(packages)} packages could not be looked up ({named}): nothing is known."
        )
    if not packages:
        say("audit: there is no package to look up.")
    if ill:
        return 1
    if unknown or not packages:
        return 2
    say(f"audit: {len(packages)} packages, none with a known vulnerability")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else LIST))
