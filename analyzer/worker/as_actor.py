"""The worker inside an actor of Ray: the same analyst as in a process of ours, with its events handed over."""

from __future__ import annotations

import os
from collections.abc import Callable

from analyzer.jobs.messages import Event, Job, WorkerOptions
from analyzer.worker.__main__ import prepare, unseen
from analyzer.worker.process import make_room_for_others
from shared.errors import MidwatchError
from shared.logs import set_up, take_in_libraries
from shared.version import __version__


class Worker:
    """One warm worker."""

    def __init__(self, options: str) -> None:
        self._options = WorkerOptions.model_validate_json(options)
        set_up(self._options.log_format, "worker")
        make_room_for_others(self._options)

    def ready(self) -> str:
        """The `ready` event, or `refused` where device or settings are none."""
        try:
            self._analyst = prepare(self._options)
        except MidwatchError as error:
            return Event(kind="refused", cause=str(error)).model_dump_json(exclude_defaults=True)
        if self._options.place is not None and self._options.place.is_dir():
            os.chdir(self._options.place)
        take_in_libraries()
        known, device = dict(self._analyst.computations), self._analyst.warm.device
        event = Event(kind="ready", device=device, version=__version__, computations=known)
        return event.model_dump_json(exclude_defaults=True)

    def carry_out(self, line: str, say: Callable[[str], None]) -> None:
        """A job, and every event of it as a line."""
        job = Job.model_validate_json(line)
        if not job.run.parent.is_dir():
            say(Event(kind="refused", job=job.id, cause=unseen(job)).model_dump_json())
            return
        self._analyst.carry_out(job, lambda event: say(event.model_dump_json(exclude_defaults=True)))
