"""Tells a run's alerts to a webhook, or whatever else apprise has an address for. The address itself is nowhere
written or said: it holds the key of who may send.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from analyzer.supervisor.lease import Lease
from analyzer.supervisor.said import Said
from analyzer.tracking.alarms import COMPARISON, Message, Raised, alerts_of, message
from analyzer.tracking.known import require_package
from analyzer.tracking.ledger import Files, Told, read_ledger
from analyzer.tracking.numbers import key_of
from analyzer.tracking.outgoing import Outgoing
from analyzer.tracking.patience import Patience
from shared.errors import SchemaError, TrackerRefused, UsageError, disk_sentence
from shared.files import write_record
from shared.logs import entry
from shared.run import Run

logger = logging.getLogger(__name__)


@dataclass
class Notifier(Outgoing):
    """Tells each alert of one run once."""

    run: Run
    url: str = field(repr=False)
    notes: bool
    """Whether notes are told, too, and not alarms alone."""
    said: Said
    sent_now: int = 0
    """Alerts that this process has told."""
    patience: Patience = field(default_factory=Patience)
    name: str = "--notify"
    where: str = ""

    def __post_init__(self) -> None:
        self.folder = self.run.tracked / "alerts"
        self.lease = Lease(self.folder / "lease.json", hurried=True)

    def close(self) -> None:
        """Let others tell."""
        try:
            self.lease.release()
        except OSError as error:
            self._refused(TrackerRefused(f"{disk_sentence(error, self.folder)}."), 0.0)

    @property
    def _what(self) -> str:
        return f"tells the alerts of {self.run.name}"

    def _require(self) -> None:
        require_package("apprise", "notify")
        receivers_at(self.url)  # a wrong address is said at once, and not with the first alarm

    def _send(self, files: Files) -> None:
        path = self.folder / "told.json"
        told = read_ledger(path, Told)
        found = {name: each[COMPARISON] for name, each in files.items() if COMPARISON in each}
        fresh = {name: file for name, file in found.items() if told.seen.get(name) != key_of(file)}
        raised: list[Raised] = []
        seen, known = dict(told.seen), dict(told.told)
        for name, file in fresh.items():
            try:
                alerts = alerts_of(Path(file.path))
            except (OSError, SchemaError) as error:
                self._unreadable(str(error))
                continue
            new = [each for each in alerts if self._wanted(each) and each.identity not in known.get(name, [])]
            raised += new
            seen[name] = key_of(file)
            known[name] = [*known.get(name, []), *(each.identity for each in new)]
        if raised:
            send(self.url, message(self.run.name, raised))
        if seen != told.seen:
            write_record(path, Told(seen=seen, told=known))
        if raised:
            self._say_told(raised)

    def _wanted(self, each: Raised) -> bool:
        return self.notes or each.alert.severity == "alarm"

    def _say_told(self, raised: list[Raised]) -> None:
        self.sent_now += len(raised)
        for each in raised:
            extra = entry("notified", run=self.run.name, checkpoint=each.checkpoint, cause=each.alert.sentence)
            logger.info("%s/%s, told: %s", self.run.name, each.checkpoint, each.alert.sentence, extra=extra)

    def _unreadable(self, cause: str) -> None:
        self.said.once(logging.WARNING, cause, entry("not_notified", run=self.run.name, cause=cause))

    def _say(self, error: Exception) -> None:
        extra = entry("not_notified", run=self.run.name, cause=str(error))
        self.said.once(logging.WARNING, f"{self.run.name}: {error}", extra)


def send(url: str, text: Message) -> None:
    """Deliver one message. Raises TrackerRefused and UsageError, neither of which repeats the URL."""
    receivers = receivers_at(url)
    if not receivers.notify(title=text.title, body=text.body, notify_type="warning", body_format="text"):
        raise TrackerRefused(
            "The address of --notify does not take the message; see that it is right and can be reached from here."
        )


def receivers_at(url: str) -> Any:
    """apprise with this one address. Raises UsageError where it knows none like that."""
    import apprise

    # what it logs of a failure names the address
    for name in ("apprise", "urllib3"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    receivers = apprise.Apprise(asset=apprise.AppriseAsset(async_mode=False, app_id="Midwatch"))
    if not receivers.add(url):
        raise UsageError(
            "apprise knows no address like that of --notify; write one as in its documentation, for example "
            "json://HOST/PATH or slack://TOKEN_A/TOKEN_B/TOKEN_C."
        )
    return receivers
