"""Events that wake the loop early. Nothing depends on them: lost events cost latency until the next rescan."""

from __future__ import annotations

import logging
import queue
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver, ObservedWatch

from analyzer.checkpoints.file_names import INCOMPLETE_MARK, TRAINER_STATE
from analyzer.checkpoints.fingerprint import NOT_THE_JUDGE
from shared.checkpoint_names import place_of
from shared.logs import entry
from shared.run import REQUESTS

logger = logging.getLogger(__name__)


class _StopIsNoError(logging.Filter):
    """An event that comes while a watch ends is nobody's; watchdog calls that an error of its own thread."""

    def filter(self, record: logging.LogRecord) -> bool:
        return "thread is inactive" not in record.getMessage()


logging.getLogger("watchdog.observers.inotify").addFilter(_StopIsNoError())


class Watcher:
    """Watches directories, not what is below them. A system that refuses is left to polling, said once."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._handler = _Handler(wake)
        self._observer: BaseObserver | None = None
        """Made with the first watch: a system whose inotify instances are all in use refuses even that."""
        self._watches: dict[tuple[Path, int], ObservedWatch] = {}
        """By path and inode: a directory that was replaced is another one. An inode may come again: see `gone`."""
        self._refused = False

    def watch(self, directories: Iterable[Path]) -> None:
        """Watch exactly these directories from now on; those that do not exist are tried again next time.

        What happened in a checkpoint's directory before it was watched is looked for: a new one wakes.
        """
        self._forget_what_is_gone()
        wanted = {place for path in directories if (place := _place(path)) is not None}
        for place in self._watches.keys() - wanted:
            self._end(place)
        new = wanted - self._watches.keys()
        for place in new:
            self._add(*place)
        for path in [path for path, _ in new if not self._refused and place_of(path.name) is not None]:
            self._handler.touched.put(path)
            self._wake()

    def heard(self) -> Iterator[tuple[Path, str]]:
        """Run and name of each checkpoint directory of whose making an event told since this was asked last."""
        while not self._handler.made.empty():
            yield self._handler.made.get()

    def touched(self) -> Iterator[Path]:
        """Each place where something happened since this was asked last."""
        while not self._handler.touched.empty():
            yield self._handler.touched.get()

    def stop(self) -> None:
        """End the threads."""
        if self._observer is not None:
            self._observer.stop()
            self._observer.join()

    def _forget_what_is_gone(self) -> None:
        """End the watches of removed directories: what stands there now may have the same inode, and no watch."""
        gone = set()
        while not self._handler.gone.empty():
            gone.add(self._handler.gone.get())
        for place in [place for place in self._watches if place[0] in gone]:
            self._end(place)

    def _end(self, place: tuple[Path, int]) -> None:
        if self._observer is not None:
            self._observer.unschedule(self._watches.pop(place))

    def _add(self, path: Path, inode: int) -> None:
        if self._refused:
            return
        try:
            if self._observer is None:
                self._observer = _started()
            self._watches[path, inode] = self._observer.schedule(self._handler, str(path), recursive=False)
        except OSError as error:
            self._refused = True
            logger.warning(
                "no file events (%s): looking every few seconds instead; see `midwatch doctor`",
                error,
                extra=entry("no_file_events", cause=str(error), path=str(path)),
            )


def _started() -> BaseObserver:
    """An observer at work. Raises OSError where the system has none left."""
    observer = Observer()
    observer.daemon = True
    observer.start()
    return observer


def _place(path: Path) -> tuple[Path, int] | None:
    """A directory and its inode; None when it is gone."""
    try:
        return (path, path.stat().st_ino) if path.is_dir() else None
    except OSError:
        return None


class _Handler(FileSystemEventHandler):
    """Wakes for checkpoints, commit files and what completes a checkpoint; a growing log is nobody's business."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self.made: queue.SimpleQueue[tuple[Path, str]] = queue.SimpleQueue()
        """Run and name of each checkpoint directory that was made or moved there."""
        self.touched: queue.SimpleQueue[Path] = queue.SimpleQueue()
        """Where something happened."""
        self.gone: queue.SimpleQueue[Path] = queue.SimpleQueue()
        """Each directory that was removed or moved away."""

    def on_any_event(self, event: FileSystemEvent) -> None:
        kind = event.event_type
        for place in (event.src_path, event.dest_path):
            path = Path(place if isinstance(place, str) else bytes(place).decode(errors="replace"))
            if event.is_directory and (kind == "deleted" or (kind == "moved" and place is event.src_path)):
                self.gone.put(path)
                self._wake()
            appears = event.is_directory and kind in ("created", "moved")
            if appears and place_of(path.name) is not None:
                self.made.put((path.parent, path.name))
            if appears or _may_complete(path, kind):
                self.touched.put(path)
                self._wake()
                return


def _may_complete(path: Path, kind: str) -> bool:
    """Whether an event may make a checkpoint or a request appear, or complete one."""
    if path.parent.name == REQUESTS:  # written aside and renamed; deleted where one is taken back
        return kind in ("moved", "deleted") and path.suffix == ".json"
    if place_of(path.name.removesuffix(".json")) is not None:
        return kind in ("created", "moved", "modified")
    if place_of(path.parent.name) is None:
        return False
    if path.name == TRAINER_STATE:  # the last one: not every system tells of its end
        return kind in ("created", "moved", "modified", "closed")
    if path.name == INCOMPLETE_MARK:
        return kind in ("deleted", "moved")
    return kind in ("moved", "closed") and not NOT_THE_JUDGE.match(path.name)
