"""Events that wake the loop early. Nothing depends on them: lost events cost latency until the next rescan."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from pathlib import Path

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import ObservedWatch

from shared.checkpoint_names import place_of
from shared.logs import entry

logger = logging.getLogger(__name__)


class _StopIsNoError(logging.Filter):
    """An event that comes while a watch ends is nobody's; watchdog calls that an error of its own thread."""

    def filter(self, record: logging.LogRecord) -> bool:
        return "thread is inactive" not in record.getMessage()


logging.getLogger("watchdog.observers.inotify").addFilter(_StopIsNoError())


class Watcher:
    """Watches directories, not what is below them. A system that refuses is left to polling, said once."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._handler = _Handler(wake)
        self._observer = Observer()
        self._observer.daemon = True
        self._watches: dict[tuple[Path, int], ObservedWatch] = {}
        """By path and inode: a directory that was replaced is another one."""
        self._refused = False
        self._started = False

    def watch(self, directories: Iterable[Path]) -> None:
        """Watch exactly these directories from now on; those that do not exist are tried again next time."""
        wanted = {(path, path.stat().st_ino) for path in directories if path.is_dir()}
        for place in self._watches.keys() - wanted:
            self._observer.unschedule(self._watches.pop(place))
        for place in wanted - self._watches.keys():
            self._add(*place)

    def stop(self) -> None:
        """End the threads."""
        if self._started:
            self._observer.stop()
            self._observer.join()

    def _add(self, path: Path, inode: int) -> None:
        if self._refused:
            return
        try:
            if not self._started:
                self._observer.start()
                self._started = True
            self._watches[path, inode] = self._observer.schedule(self._handler, str(path), recursive=False)
        except OSError as error:
            self._refused = True
            logger.warning(
                "no file events (%s): looking every few seconds instead; see `midwatch doctor`",
                error,
                extra=entry("no_file_events", cause=str(error), path=str(path)),
            )


class _Handler(FileSystemEventHandler):
    """Wakes for checkpoints and commit files; a log that grows is nobody's business."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake

    def on_any_event(self, event: FileSystemEvent) -> None:
        for path in (event.src_path, event.dest_path):
            name = Path(path if isinstance(path, str) else bytes(path).decode(errors="replace")).name
            named = place_of(name.removesuffix(".json")) is not None
            appears = event.is_directory and event.event_type in ("created", "moved")
            if appears or (named and event.event_type in ("created", "moved", "modified")):
                self._wake()
                return
