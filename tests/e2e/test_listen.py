"""`watch --listen` as a trainer meets it: it tells of a save, and what the policy leaves out is analysed."""

from __future__ import annotations

import http.client
import json
import socket
from pathlib import Path

from shared.requests.folder import all_states
from shared.run import Run
from tests.e2e.processes import midwatch, results_of, started
from tests.making.runs import add_checkpoint, describe, judge_template
from tests.making.waiting import wait_until


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def tell(port: int, **fields: object) -> tuple[int, dict[str, object]] | None:
    """The answer; None while nobody listens yet."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("POST", "/", json.dumps(fields))
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    except ConnectionRefusedError:
        return None
    finally:
        connection.close()


def test_a_save_that_is_told_is_analysed_whatever_the_policy_says(tmp_path: Path) -> None:
    run, log, port = describe(tmp_path / "run", steps=30), tmp_path / "log", free_port()
    where = f"127.0.0.1:{port}"
    for step in (10, 20, 30):
        add_checkpoint(run, step, judge_template(tmp_path), step / 10)
    words = ("watch", str(run), "--policy", "every:9", "--only", "layers", "--nice", "0", "--listen", where)
    with started("midwatch", *words, log=log) as process:
        wait_until(lambda: process.poll() is not None or results_of(run), "the first checkpoint")
        assert not list((run / "_midwatch" / "results").glob("checkpoint-20"))
        told = tell(port, event="save", step=20, checkpoint_dir="/elsewhere/run/checkpoint-20")
        assert told is not None and told[0] == 202, log.read_text()
        wait_until(lambda: [state.state for state in all_states(Run.at(run))] == ["done"], "the request")
        assert tell(port, checkpoint_dir="/elsewhere/run/checkpoint-40") is not None
        assert [state.id for state in all_states(Run.at(run))] == [told[1]["request"]]
        process.terminate()
        assert process.wait() == 0, log.read_text()
    assert [path.parts[-3] for path in results_of(run) if path.parts[-4] == "checkpoint-20"] == ["layers"]


def test_what_cannot_be_listened_on_is_one_sentence(tmp_path: Path) -> None:
    run = describe(tmp_path / "run")
    done = midwatch("watch", str(run), "--listen", "127.0.0.1:8765", "--once")
    assert done.returncode == 2 and "leave out --once" in done.stderr and done.stderr.count("\n") == 1
    done = midwatch("watch", str(run), "--listen", "192.0.2.1:8765")
    assert done.returncode == 2 and "MIDWATCH_LISTEN_TOKEN" in done.stderr, done.stderr
