"""What `midwatch doctor` looks at around a run: whose code lies there, links, other analyzers, disk, events, clock.

Each check finds a misconfiguration that an analyzer survives, and says little about while it works.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib.metadata import packages_distributions
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from analyzer.commands.finding import Finding
from analyzer.supervisor.disk_pause import TRIAL_BYTES, can_write
from shared.errors import SchemaError
from shared.files import read_record
from shared.findings.text import counted
from shared.own_folders import make_directory
from shared.records import Status
from shared.run import Run

if TYPE_CHECKING:
    from analyzer.supervisor.lease import LeaseRecord

OURS = ("shared", "trainer", "analyzer", "dashboard", "journeys", "midwatch")
NETWORK = ("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "ceph", "glusterfs", "lustre", "beegfs", "gpfs", "afs")
"""Types of file systems over a network; those of FUSE besides (`fuse.sshfs`, `fuse.gcsfuse`)."""
MOUNTS = Path("/proc/self/mountinfo")
MOST_FILES = 100_000
"""Entries of our folders looked at for links."""
NAMED = 3
"""Files that a sentence names."""
CLOCK_S = 5.0
"""Seconds by which the disk's clock and ours may differ."""
EVENT_S = 2.0
"""Seconds that an event gets to come."""


def around(run: Run) -> Iterator[Finding]:
    """Everything around a run."""
    yield planted(run.path)
    yield links(run)
    yield analyzers(run, time.time())
    yield room(run)
    yield file_system(run.out if run.out.exists() else run.path)
    yield events(run)
    yield clock(run)


def planted(*places: Path) -> Finding:
    """Files that a Python would take for a module of its own libraries, where it looks into that directory."""
    names = {*sys.stdlib_module_names, *packages_distributions(), *OURS}
    found: list[Path] = []
    for place in dict.fromkeys((*places, Path.cwd())):
        found += [path for path in _modules_in(place) if path.name.partition(".")[0] in names]
    if not found:
        return Finding("good", "modules", "none lies here that a Python could take for one of its own")
    told = ", ".join(str(path) for path in found[:NAMED]) + (", ..." if len(found) > NAMED else "")
    path = {Path(entry or ".").resolve() for entry in sys.path}
    if {found_at.parent.resolve() for found_at in found} & path:
        return Finding(
            "broken", "modules", f"{told}: runs in place of the library of that name; take it out of PYTHONPATH."
        )
    advice = "Midwatch never imports it, but a Python started there does: rename it"
    return Finding("warning", "modules", f"{told}: the name of a library. {advice}.")


def _modules_in(place: Path) -> list[Path]:
    """What a Python would import by its name: files, and directories that hold code."""
    if (place / "midwatch.py").is_file() and (place / "shared" / "records.py").is_file():
        return []  # our own checkout
    try:
        entries = sorted(place.iterdir())
    except OSError:
        return []
    return [
        path
        for path in entries
        if path.suffix in (".py", ".pyc", ".so") or (path.is_dir() and (path / "__init__.py").is_file())
    ]


def links(run: Run) -> Finding:
    """Symbolic links inside our folders: nothing is read or written through them."""
    found, seen = [], 0
    for top in (run.midwatch, run.visualizations):
        if top.is_symlink():
            found.append(top)
            continue
        for folder, folders, files in os.walk(top):
            seen += len(files)
            found += [path for name in (*folders, *files) if (path := Path(folder, name)).is_symlink()]
            if seen > MOST_FILES:
                break
    if not found:
        return Finding("good", "links", "none in our folders")
    told = ", ".join(str(path) for path in found[:NAMED]) + (", ..." if len(found) > NAMED else "")
    what = "is a symbolic link" if len(found) == 1 else "are symbolic links"
    return Finding(
        "broken", "links", f"{told} {what}: no analyzer works through that; remove it, or use --out DIR."
    )


def analyzers(run: Run, now: float) -> Finding:
    """Whether one has the run, and whether another one tells of it, too."""
    if find_spec("psutil") is None:
        return Finding("warning", "analyzer", "unknown, because psutil is not installed.")
    from analyzer.supervisor.lease import UNREADABLE, Lease, holder

    try:
        lease, status = Lease(run.lease).read(), _status(run)
        owner = holder(run.lease, now)
    except OSError as error:
        return Finding("broken", "analyzer", f"{run.lease} cannot be read ({error.strerror}).")
    if lease == UNREADABLE:
        return Finding("warning", "analyzer", f"{run.lease} is damaged; the next analyzer takes it over.")
    if owner is None:
        return Finding("good", "analyzer", "none has the run")
    told = f"process {owner.pid} on {owner.host} has the run; another one waits until it ends"
    if status is not None and status.state != "stopped" and not status.is_gone(now) and _is_other(status, owner):
        two = f"processes {owner.pid} on {owner.host} and {status.pid} on {status.host} both tell of the run"
        return Finding("broken", "analyzer", f"{two}: stop one, and start it again with an --out DIR of its own.")
    return Finding("good", "analyzer", told)


def _status(run: Run) -> Status | None:
    try:
        return read_record(run.status, Status)  # without the rows, which say nothing here
    except (FileNotFoundError, NotADirectoryError, SchemaError):
        return None


def _is_other(status: Status, owner: LeaseRecord) -> bool:
    """Whether a status was written by another than who has the run; in a moment between two it may seem so."""
    return (status.pid, status.host) != (owner.pid, owner.host)


def room(run: Run) -> Finding:
    """Whether what one checkpoint's results take can be written: bytes, and names."""
    if not hasattr(os, "statvfs"):  # on Windows, where no inodes run out either
        return _room_to_write(run, "enough")
    try:
        found = os.statvfs(run.out if run.out.exists() else run.path)
    except OSError as error:
        return Finding("broken", "room", f"{run.out} cannot be looked at ({error.strerror}).")
    if found.f_files and not found.f_favail:
        return Finding(
            "broken", "room", f"the disk of {run.out} has no inodes left: delete files, many small ones."
        )
    if found.f_flag & os.ST_RDONLY:
        return Finding("broken", "room", f"{run.out} is mounted read-only; choose another place with --out DIR.")
    return _room_to_write(run, f"{counted(found.f_favail, 'inode')} left" if found.f_files else "enough")


def _room_to_write(run: Run, enough: str) -> Finding:
    if can_write(run.midwatch, size=1) and not can_write(run.midwatch):  # without the first it is no matter of room
        told = f"{TRIAL_BYTES // 2**20} MiB cannot be written into {run.midwatch}"
        return Finding("broken", "room", f"{told}: an analyzer would pause; free space, or choose --out DIR.")
    return Finding("good", "room", enough)


def file_system(place: Path, mounts: Path = MOUNTS) -> Finding:
    """Whether it is one over a network: no events come there, and files are dated by other clocks."""
    kind = type_of(place, mounts)
    if not kind:
        return Finding("good", "file system", "of an unknown type")
    if kind in NETWORK or kind.startswith("fuse."):
        advice = "changes of other machines are seen by --rescan alone; keep the clocks of its machines together"
        return Finding("warning", "file system", f"{place} is on {kind}: {advice}.")
    return Finding("good", "file system", kind)


def type_of(place: Path, mounts: Path) -> str:
    """Type of the file system that a path is on, as the kernel lists it; empty where it lists none."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    best, kind = "", ""
    for line in lines:
        before, _, after = line.partition(" - ")
        fields = before.split()
        if len(fields) < 5 or not after:
            continue
        point = fields[4].replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")
        if place.resolve().is_relative_to(point) and len(point) >= len(best):  # the last one mounted there counts
            best, kind = point, after.split()[0]
    return kind


def events(run: Run) -> Finding:
    """Whether the system tells of a new file in our own folder, tried."""
    if find_spec("watchdog") is None:
        return Finding("broken", "events", "watchdog is not installed; run `pip install 'midwatch[analyzer]'`.")
    from watchdog.events import FileSystemEvent, FileSystemEventHandler
    from watchdog.observers import Observer

    came, trial, observer = threading.Event(), run.midwatch / f".trial.{os.getpid()}", None

    class Handler(FileSystemEventHandler):
        def on_created(self, event: FileSystemEvent) -> None:
            if Path(os.fsdecode(event.src_path)).name == trial.name:
                came.set()

    try:
        make_directory(run.midwatch)
        observer = Observer()
        observer.schedule(Handler(), str(run.midwatch))
        observer.start()
        trial.open("xb").close()  # a link that stands there is not written through
        told = came.wait(EVENT_S)
    except OSError as error:
        advice = "raise fs.inotify.max_user_instances and max_user_watches, or end what holds them"
        return Finding(
            "warning", "events", f"refused ({error.strerror}): changes are seen by --rescan alone; {advice}."
        )
    finally:
        if observer is not None and observer.is_alive():
            observer.stop()
            observer.join()
        with suppress(OSError):
            trial.unlink()
    if not told:
        return Finding(
            "warning", "events", f"none came of a new file in {run.midwatch}: changes are seen by --rescan."
        )
    return Finding("good", "events", "a new file was told of")


def clock(run: Run, now: Callable[[], float] = time.time) -> Finding:
    """Whether the disk's clock is ours, and nothing lies in the future."""
    trial = run.midwatch / f".trial.{os.getpid()}"
    try:
        make_directory(run.midwatch)
        trial.open("xb").close()  # a link that stands there is not written through
        ahead = trial.stat().st_mtime - now()
    except OSError as error:
        return Finding("warning", "clock", f"could not be compared with the disk's ({error.strerror or error}).")
    finally:
        with suppress(OSError):
            trial.unlink()
    if abs(ahead) > CLOCK_S:
        told = f"the disk's clock is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} this machine's"
        return Finding("broken", "clock", f"{told}: set both by NTP, as completeness is told by them.")
    future = _newest(run) - now()
    if future > CLOCK_S:
        told = f"the newest checkpoint is dated {future:.0f} s ahead of this machine's clock"
        return Finding("warning", "clock", f"{told}: it counts as complete only after it was watched for a while.")
    return Finding("good", "clock", "the disk's and this machine's agree")


def _newest(run: Run) -> float:
    """Unix time of the newest change of a checkpoint's directory; 0 for none."""
    times = [0.0]
    for name in run.checkpoints():
        try:
            times.append(run.directory_of(name).stat().st_mtime)
        except OSError:  # gone just now
            continue
    return max(times)
