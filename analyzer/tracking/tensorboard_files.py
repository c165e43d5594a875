"""TensorBoard: one event file in a folder of ours, written anew with every send.

TensorBoard takes a step that is not later than the last one for a training that was started again, and drops what
was there from that step on. Checkpoints are analysed newest first, so nothing can be appended: each file holds
everything, by step, begins by saying that what came before is void, and has a later name than the one it replaces.
That one is emptied: TensorBoard without its fast loader stops where a file that it reads is deleted.
"""

from __future__ import annotations

import io
import os
import re
import time
from collections.abc import Sequence
from pathlib import Path

from analyzer.tracking.tracker import PREFIX, Numbers
from shared.files import write_bytes_atomic
from shared.own_folders import list_directory, make_directory, refuse_links

NAME = re.compile(r"events\.out\.tfevents\.(\d{10,})\.midwatch")
KEPT_S = 3600.0
"""Seconds that an emptied file is kept: until then every TensorBoard has gone on to the next."""


class TensorBoard:
    """Writes `folder`; a TensorBoard that shows it already shows the new numbers at its next look."""

    whole = True
    place = ""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.where = f"`tensorboard --logdir {folder}`"

    def send(self, numbers: Sequence[Numbers]) -> None:
        """Replace the event file. Raises OSError, among it LinkInTheWay."""
        make_directory(self.folder)
        old = sorted(name for name in list_directory(self.folder) if NAME.fullmatch(name))
        # seconds, as in TensorBoard's own names; later than before even where the clock was set back
        number = max([int(time.time()), *(int(name.split(".")[3]) + 1 for name in old)])
        aside = self.folder.parent / "tensorboard.new"  # never below a name that TensorBoard would read
        write_bytes_atomic(aside, event_file(numbers))
        aside.replace(self.folder / f"events.out.tfevents.{number:010d}.midwatch")
        for name in old:
            _empty(self.folder / name)

    def close(self) -> None:
        """Nothing is open between two sends."""


def _empty(path: Path) -> None:
    """Empty a file that was replaced; one that was long ago is deleted."""
    refuse_links(path)
    known = path.stat()
    if known.st_size:
        os.truncate(path, 0)
    elif time.time() - known.st_mtime > KEPT_S:
        path.unlink()


def event_file(numbers: Sequence[Numbers]) -> bytes:
    """The numbers as TensorBoard's records: one event a checkpoint, by step, the tags by name."""
    from tensorboard.compat.proto.event_pb2 import Event, SessionLog  # pyright: ignore[reportAttributeAccessIssue]
    from tensorboard.compat.proto.summary_pb2 import Summary  # pyright: ignore[reportAttributeAccessIssue]
    from tensorboard.summary.writer.record_writer import RecordWriter

    in_order = sorted(numbers, key=lambda each: each.step)
    first = in_order[0] if in_order else Numbers("", 0, None, 0.0, {})
    events = [
        Event(wall_time=first.time, file_version="brain.Event:2"),
        Event(wall_time=first.time, step=first.step, session_log=SessionLog(status=SessionLog.START)),
    ]
    for each in in_order:
        named = sorted(with_epoch(each).items())
        values = [Summary.Value(tag=f"{PREFIX}/{name}", simple_value=value) for name, value in named]
        events.append(Event(wall_time=each.time, step=each.step, summary=Summary(value=values)))
    buffer = io.BytesIO()
    writer = RecordWriter(buffer)
    for event in events:
        writer.write(event.SerializeToString())
    return buffer.getvalue()


def with_epoch(numbers: Numbers) -> dict[str, float]:
    """All values of a checkpoint, its epoch among them where it is known."""
    return dict(numbers.values) | ({} if numbers.epoch is None else {"epoch": numbers.epoch})
