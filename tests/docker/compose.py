"""The containers with a real Docker engine: `make compose-test`. Not part of `make test`: it builds images.

1. Build, and check what is in the images: no torch in the dashboard's, nobody is root.
2. Bring all three up in an empty project of their own and wait until they are healthy.
3. Kill the analyzer's process from outside once it has begun, and see the container restart.
4. Wait until every checkpoint is analysed, and find each result exactly once.
5. Look at the page it serves: over HTTP, and in headless Chromium (a screenshot is kept).
6. Stop with SIGTERM, inside the grace period; remove everything.
"""

from __future__ import annotations

import collections
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[2]
PROJECT = "midwatch-test"
PORT = 8597
EPOCHS = 3
SERVICES = ("trainer", "analyzer", "dashboard")
SHOTS = Path(os.environ.get("MIDWATCH_SHOTS", ROOT / "build"))
ENVIRONMENT = {**os.environ, "MIDWATCH_PORT": str(PORT), "MIDWATCH_EPOCHS": str(EPOCHS)}


def main() -> None:
    try:
        build()
        start()
        kill_analyzer()
        wait_for_results()
        check_results_once()
        check_page()
        stop()
    except BaseException:
        say("failed; the last log lines of each service:")
        compose("logs", "--tail", "25", check=False, quiet=False)
        raise
    finally:
        compose("down", "--volumes", "--remove-orphans", "--timeout", "5", check=False)
    say("all checks passed")


def build() -> None:
    say("building the images")
    compose("build", "--quiet")
    for service in SERVICES:
        image = f"midwatch-{service}"
        size = int(docker("image", "inspect", "--format", "{{.Size}}", image)) / 1e6
        user = in_image(image, "import os; print(os.getuid())")
        torch = in_image(image, "import importlib.util as u; print(u.find_spec('torch') is not None)")
        place = in_image(image, "import os, sys; print(os.getcwd(), sys.flags.safe_path)")
        say(f"  {image}: {size:.0f} MB, uid {user}, torch {torch}")
        assert user == "10001"
        assert place == "/ True", "the shared volume holds no code of ours"
        assert torch == ("False" if service == "dashboard" else "True")


def start() -> None:
    say("starting")
    compose("down", "--volumes", check=False)
    compose("up", "--detach", "--wait", "--wait-timeout", "300")
    for service in SERVICES:
        found = inspect(service)
        assert found["State"]["Health"]["Status"] == "healthy", service
        assert found["HostConfig"]["ReadonlyRootfs"], service
    say("  all healthy")


def kill_analyzer() -> None:
    until("the first checkpoint is being analysed", lambda: bool(status()["running"]) or any_done(), 1800)
    before = inspect("analyzer")
    process = int(before["State"]["Pid"])
    os.kill(process, 9)  # from the host: after `docker kill` the engine would not restart it
    until("the killed analyzer restarts", lambda: inspect("analyzer")["RestartCount"] > before["RestartCount"], 60)
    until("it is healthy again", lambda: inspect("analyzer")["State"]["Health"]["Status"] == "healthy", 120)


def wait_for_results() -> None:
    until("the trainer ends", lambda: inspect("trainer")["State"]["Status"] == "exited", 3600)
    assert inspect("trainer")["State"]["ExitCode"] == 0
    until("every checkpoint is analysed", all_done, 1800)


def check_results_once() -> None:
    found = python_in("analyzer", RESULTS)
    counts = collections.Counter((row["checkpoint"], row["analysis"]) for row in json.loads(found))
    checkpoints = {checkpoint for checkpoint, _ in counts}
    analyses = {analysis for _, analysis in counts}
    say(f"  {len(counts)} results: {len(checkpoints)} checkpoints x {sorted(analyses)}")
    assert len(checkpoints) == EPOCHS
    assert len(counts) == EPOCHS * len(analyses) and len(analyses) >= 4, counts
    assert set(counts.values()) == {1}, counts
    read_only = compose("exec", "-T", "dashboard", "touch", "/runs/demo/x", check=False)
    assert "Read-only file system" in read_only, read_only


def check_page() -> None:
    with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/", timeout=10) as answer:
        assert answer.status == 200
    SHOTS.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1400, "height": 1100})
        page.goto(f"http://127.0.0.1:{PORT}/")
        page.wait_for_selector(".js-plotly-plot .main-svg", timeout=60_000)
        page.wait_for_load_state("networkidle")
        shot = SHOTS / "compose-dashboard.png"
        page.screenshot(path=str(shot))
        assert not page.locator('[data-testid="stException"]').count()
        browser.close()
    say(f"  page served; screenshot: {shot}")


def stop() -> None:
    say("stopping with SIGTERM")
    began = time.monotonic()
    compose("stop")
    for service in ("analyzer", "dashboard"):
        code = inspect(service)["State"]["ExitCode"]
        assert code in (0, 143), f"{service} ended with {code}"  # 137: killed after the grace
    say(f"  stopped in {time.monotonic() - began:.1f} s")


RESULTS = """
import json, pathlib
found = pathlib.Path('/runs').glob('*/_midwatch/results/*/*/*/result.json')
print(json.dumps([dict(checkpoint=path.parts[-4], analysis=path.parts[-3]) for path in found]))
"""

STATUS = "import pathlib; print(*[p.read_text() for p in pathlib.Path('/runs').glob('*/_midwatch/status.json')])"


def status() -> dict[str, Any]:
    """The analyzer's status.json, read where it is surely readable; an empty one before the first heartbeat."""
    text = python_in("dashboard", STATUS)
    return json.loads(text) if text else {"running": None, "checkpoints": []}


def any_done() -> bool:
    return any(row["done"] for row in status()["checkpoints"])


def all_done() -> bool:
    rows = status()["checkpoints"]
    return len(rows) == EPOCHS and all(row["state"] == "done" for row in rows)


def until(what: str, condition: Callable[[], bool], seconds: float) -> None:
    say(f"waiting until {what}")
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(1)


def inspect(service: str) -> dict[str, Any]:
    container = compose("ps", "--all", "--quiet", service)
    return json.loads(docker("inspect", container))[0]


def in_image(image: str, code: str) -> str:
    return docker("run", "--rm", "--entrypoint", "python", image, "-c", code)


def python_in(service: str, code: str) -> str:
    return compose("exec", "-T", service, "python", "-c", code)


def compose(*words: str, check: bool = True, quiet: bool = True) -> str:
    return docker("compose", "--project-name", PROJECT, *words, check=check, quiet=quiet)


def docker(*words: str, check: bool = True, quiet: bool = True) -> str:
    done = subprocess.run(["docker", *words], cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True)
    if check and done.returncode:
        raise RuntimeError(f"docker {' '.join(words)} failed:\n{done.stdout}{done.stderr}")
    if not quiet:
        sys.stdout.write(done.stdout + done.stderr)
    return (done.stdout if check else done.stdout + done.stderr).strip()


def chromium() -> str:
    found = shutil.which("chromium") or shutil.which("google-chrome")
    assert found, "this check looks at the page in Chromium; install it"
    return found


def say(line: str) -> None:
    print(f"[{time.strftime('%H:%M:%S')}] {line}", flush=True)


if __name__ == "__main__":
    main()
