"""The recipes of docs/cluster.md with a real Slurm: `make cluster-test`. Not part of `make test`.

1. A cluster of one node of its own, in a temporary folder: munged, slurmctld and slurmd, as root.
2. One job with its own workers: one of them is ended by Slurm, and the whole job is sent back to the queue on its
   way. Every result is there once, what was done before stays as it was, and no attempt was used.
3. An array with one run a task, and a job that waits for the end of a training.
4. A worker on "another machine" behind ssh, with a server of its own on the loopback address.

GPUs are taken out of the recipes, and what they ask for is made small.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from shared.status_file import read_status
from tests.e2e.processes import results_of
from tests.making.runs import add_checkpoint, describe, judge_template
from tests.making.waiting import wait_until

ROOT = Path(__file__).parents[2]
RECIPES = ROOT / "docs" / "cluster.md"
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "scontrol", "scancel", "sshd", "ssh-keygen")
PACKAGES = "slurmctld slurmd slurm-client munge openssh-server openssh-client"
SMALLER = (
    (r" --gpus(-per-task)?=\S+", ""),
    (r"--ntasks=4 --cpus-per-task=2", "--ntasks=2 --cpus-per-task=1"),
    (r"--workers 4", "--workers 2"),
    (r"-c2\b", "-c1"),
    (r"--array=0-9", "--array=0-1"),
)
CHECKPOINTS, ANALYSES = 16, 2
WANTED = CHECKPOINTS * ANALYSES
ONLY = "--only layers --only comparison"


def main() -> None:
    missing = [name for name in PROGRAMS if not found(name)]
    if missing or os.geteuid():
        sys.exit(f"Needs root and {', '.join(missing) or 'its programs'}: apt-get install {PACKAGES}")
    with tempfile.TemporaryDirectory(prefix="midwatch-slurm-") as folder, ExitStack() as stack:
        place = Path(folder)
        place.chmod(0o755)
        template = judge_template(place)
        cluster = stack.enter_context(running_cluster(place))
        try:
            one_job_with_its_own_workers(cluster, template)
            an_array(cluster, template)
            after_the_training(cluster, template)
        except BaseException:
            say(f"failed; what the jobs printed:\n{cluster.said()}")
            raise
        behind_ssh(place, template)
    say("all checks passed")


@dataclass(frozen=True)
class Cluster:
    """A cluster that runs, and where its jobs work."""

    place: Path
    environment: dict[str, str]

    def do(self, *words: str) -> str:
        """One of Slurm's commands. Raises CalledProcessError."""
        done = subprocess.run(
            words, env=self.environment, cwd=self.place, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def submit(self, script: str, *options: str) -> str:
        """Number of the new job."""
        path = self.place / "job.sh"
        path.write_text(script)
        return self.do("sbatch", "--parsable", *options, str(path))

    def state(self, job: str) -> str:
        """As Slurm calls it; of an array, of the task that is least far."""
        said = re.findall(r"JobState=(\w+)", self.do("scontrol", "show", "job", job))
        return next((state for state in said if state != "COMPLETED"), "COMPLETED")

    def wait(self, job: str) -> None:
        """Until it is done; raises AssertionError where it failed."""
        over = ("COMPLETED", "FAILED", "CANCELLED", "NODE_FAIL", "OUT_OF_MEMORY")
        state = wait_until(
            lambda: found if (found := self.state(job)) in over else None, f"the end of job {job}", 1800
        )
        assert state == "COMPLETED", f"{state}\n{self.said()}"

    def said(self) -> str:
        """What the jobs printed."""
        return "\n".join(path.read_text() for path in sorted(self.place.glob("slurm-*.out")))


def one_job_with_its_own_workers(cluster: Cluster, template: Path) -> None:
    say("one job with its own workers")
    run = trained(cluster.place / "runs" / "judge", template)
    script = recipe("one job with its own workers").replace("--once", f"--once {ONLY}")
    job = cluster.submit(script)
    wait_until(lambda: len(results_of(run)) >= 4, "the first results")
    steps = re.findall(rf"StepId=({job}\.\d+) ", cluster.do("scontrol", "show", "steps"))
    assert len(steps) == 2, steps
    cluster.do("scancel", "--signal=TERM", steps[0])
    say(f"  ended step {steps[0]} of {len(steps)}")
    wait_until(lambda: "lost" in cluster.said().lower(), "the loss being said")
    before = {path: path.stat().st_mtime_ns for path in results_of(run)}
    cluster.do("scontrol", "requeue", job)
    say(f"  sent back to the queue with {len(before)} of {WANTED} results")
    wait_until(lambda: cluster.state(job) == "PENDING", "the job back in the queue")
    cluster.do("scontrol", "update", f"JobId={job}", "StartTime=now")  # not after Slurm's two minutes
    cluster.wait(job)
    check(run)
    assert all(path.stat().st_mtime_ns == was for path, was in before.items()), "what was done was done again"


def an_array(cluster: Cluster, template: Path) -> None:
    say("an array with one run a task")
    shutil.rmtree(cluster.place / "runs")
    runs = [trained(cluster.place / "runs" / f"run{number}", template) for number in range(2)]
    cluster.wait(cluster.submit(recipe("an array with one run a task").replace("--once", f"--once {ONLY}")))
    for run in runs:
        check(run)


def after_the_training(cluster: Cluster, template: Path) -> None:
    """The "training" leaves its last checkpoint, and fails: the analysis comes all the same."""
    say("when the training is over")
    shutil.rmtree(cluster.place / "runs")
    run = trained(cluster.place / "runs" / "judge", template, CHECKPOINTS - 1)
    words = (str(run), str(CHECKPOINTS), str(template))
    training = f"from tests.cluster.slurm import save; save({', '.join(map(repr, words))}); raise SystemExit(1)"
    (cluster.place / "train.sh").write_text(f"#!/bin/bash\nexec {sys.executable} -c {shlex.quote(training)}\n")
    lines = recipe("when the training is over").replace("--suite advanced", ONLY)
    lines = lines.replace("sbatch --dependency", "sbatch --parsable --dependency")
    done = subprocess.run(
        ["bash", "-ec", lines],
        env=cluster.environment,
        cwd=cluster.place,
        check=True,
        capture_output=True,
        text=True,
    )
    cluster.wait(done.stdout.strip())
    check(run)


def behind_ssh(place: Path, template: Path) -> None:
    say("a worker behind ssh")
    run = trained(place / "there" / "judge", template)
    with ssh_server(place) as command:
        words = ["watch", str(run), "--once", *ONLY.split(), "--worker-command", f"{command} {{worker}}"]
        done = subprocess.run(
            [sys.executable, "-m", "midwatch", *words], env=environment(), cwd=place, capture_output=True, text=True
        )
    assert done.returncode == 0, done.stdout + done.stderr
    check(run)


@contextmanager
def ssh_server(place: Path) -> Iterator[str]:
    """An ssh server on the loopback address; gives the command that reaches it."""
    folder = place / "ssh"
    folder.mkdir(mode=0o700)
    for name in ("host", "own"):
        subprocess.run(["ssh-keygen", "-q", "-N", "", "-t", "ed25519", "-f", str(folder / name)], check=True)
    (folder / "known").write_text((folder / "own.pub").read_text())
    port = free_port()
    told = {
        "Port": port,
        "ListenAddress": "127.0.0.1",
        "HostKey": folder / "host",
        "AuthorizedKeysFile": folder / "known",
        "PidFile": "none",
        "PasswordAuthentication": "no",
        "UsePAM": "no",
        "StrictModes": "no",
        "PermitRootLogin": "prohibit-password",
    }
    (folder / "sshd_config").write_text("".join(f"{name} {value}\n" for name, value in told.items()))
    Path("/run/sshd").mkdir(exist_ok=True)
    asks = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o BatchMode=yes"
    with daemon(place, "sshd", "-D", "-e", "-f", str(folder / "sshd_config")):
        wait_until(lambda: answers(port), "the ssh server")
        yield f"ssh -T -p {port} -i {folder / 'own'} {asks} 127.0.0.1"


@contextmanager
def running_cluster(place: Path) -> Iterator[Cluster]:
    """munged, slurmctld and slurmd of our own; ended at the end, whatever happens."""
    say("starting a cluster of one node")
    key, talk = place / "munge.key", place / "munge.socket"
    key.touch(mode=0o600)
    key.write_bytes(os.urandom(128))
    name = socket.gethostname().partition(".")[0]
    told = {
        "ClusterName": "midwatch",
        "SlurmctldHost": f"{name}(127.0.0.1)",
        "SlurmUser": "root",
        "AuthInfo": f"socket={talk}",
        "SlurmctldPort": free_port(),
        "SlurmdPort": free_port(),
        "StateSaveLocation": place / "state",
        "SlurmdSpoolDir": place / "spool",
        "SlurmctldPidFile": place / "slurmctld.pid",
        "SlurmdPidFile": place / "slurmd.pid",
        "ProctrackType": "proctrack/linuxproc",
        "TaskPlugin": "task/none",
        "SelectType": "select/cons_tres",
        "SelectTypeParameters": "CR_CPU",
        "KillWait": 5,
        "NodeName": f"{name} NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN",
        "PartitionName": f"main Nodes={name} Default=YES MaxTime=INFINITE State=UP",
    }
    for folder in ("state", "spool"):
        (place / folder).mkdir()
    config = place / "slurm.conf"
    config.write_text("".join(f"{key}={value}\n" for key, value in told.items()))
    here = environment() | {"SLURM_CONF": str(config)}
    cluster = Cluster(place, here)
    own = [f"--{what}-file={place / what}" for what in ("pid", "log", "seed")]
    with (
        daemon(place, "munged", "--foreground", "--force", f"--key-file={key}", f"--socket={talk}", *own),
        daemon(place, "slurmctld", "-D", settings=here),
        daemon(place, "slurmd", "-D", settings=here),
    ):
        wait_until(lambda: "IDLE" in quietly(cluster, "scontrol", "show", "node"), "the node")
        try:
            yield cluster
        finally:
            quietly(cluster, "scancel", "--user=root")  # it fails where there are none
            wait_until(lambda: not cluster.do("squeue", "--noheader"), "the end of all jobs")


@contextmanager
def daemon(place: Path, name: str, *words: str, settings: dict[str, str] | None = None) -> Iterator[None]:
    """A process in the background."""
    with (place / f"{name}.log").open("ab") as log:
        process = subprocess.Popen([found(name), *words], env=settings, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def quietly(cluster: Cluster, *words: str) -> str:
    """What a command says, nothing while there is no answer."""
    try:
        return cluster.do(*words)
    except subprocess.CalledProcessError:
        return ""


def recipe(title: str) -> str:
    """A recipe of the document, without GPUs and made small."""
    text = RECIPES.read_text().partition(f"### Slurm: {title}\n")[2]
    lines = text.partition("```bash\n")[2].partition("```")[0]
    assert lines, title
    for long, short in SMALLER:
        lines = re.sub(long, short, lines)
    return lines


def trained(path: Path, template: Path, checkpoints: int = CHECKPOINTS) -> Path:
    run = describe(path)
    for step in range(1, checkpoints + 1):
        add_checkpoint(run, step, template)
    return run


def save(run: str, step: str, template: str) -> None:
    """One more checkpoint, as a training that is nearly over."""
    add_checkpoint(Path(run), int(step), Path(template))


def check(run: Path) -> None:
    """Every result once, nothing given up, and no attempt used."""
    results = results_of(run)
    places = {path.parent.parent for path in results}
    rows = read_status(run / "_midwatch" / "status.json").checkpoints
    say(f"  {run.name}: {len(results)} results of {len(rows)} checkpoints")
    assert len(results) == len(places) == WANTED, (len(results), len(places))
    assert {str(row.state) for row in rows} == {"done"} and {row.attempts for row in rows} == {0}, rows


def environment() -> dict[str, str]:
    """As a user's who has Midwatch installed: its commands are found, and jobs inherit it."""
    own = {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    return os.environ | own | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}:/usr/sbin"}


def found(name: str) -> str:
    """Where a program is; empty where it is not installed."""
    return shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin") or ""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def say(line: str) -> None:
    print(f"[{time.strftime('%H:%M:%S')}] {line}", flush=True)


if __name__ == "__main__":
    main()
