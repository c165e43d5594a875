"""When the analyzer may compute: always, while its device is idle, after the training, or in a daily window."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from shared.errors import UsageError
from shared.processes import NEUTRAL

WINDOW = re.compile(r"^([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)$")
NAMES = ("always", "idle", "after-training")
IDLE_SHARE = 0.25
"""The CPU counts as idle while others use less than this share of all cores."""
LOOK_EVERY_S = 5.0
"""Seconds between two looks at how busy the device is."""


def parse_slot(text: str) -> str:
    """A slot as given; raises ValueError in words for people."""
    if text in NAMES or WINDOW.match(text):
        return text
    raise ValueError(f"a slot is {', '.join(NAMES)} or a daily window such as 22:00-06:00")


def in_window(slot: str, now: float) -> bool:
    """Whether local time `now` (Unix seconds) lies in a window; one from 22:00 to 06:00 spans midnight."""
    match = WINDOW.match(slot)
    if match is None:
        raise UsageError(f"{slot!r} is not a daily window such as 22:00-06:00.")
    start, end = int(match[1]) * 60 + int(match[2]), int(match[3]) * 60 + int(match[4])
    local = datetime.fromtimestamp(now)
    minute = local.hour * 60 + local.minute
    return start <= minute < end if start <= end else minute >= start or minute < end


@dataclass
class Slots:
    """One slot for each device of the engine's workers."""

    slot: str
    _of: dict[str, Slot] = field(default_factory=dict)

    def open_on(self, devices: Iterable[str], now: float, training_over: bool) -> set[str]:
        """On which of these devices a run may compute now; `training_over` is about that run."""
        return {device for device in devices if self._slot(device).open(now, training_over)}

    def clock_was_set(self, by: float) -> None:
        """The next look comes as if nobody had set the clock `by` seconds."""
        for slot in self._of.values():
            slot.clock_was_set(by)

    def _slot(self, device: str) -> Slot:
        return self._of.setdefault(device, Slot(self.slot, device))


@dataclass
class Slot:
    """Whether work may start now on one device. A job that has started is not interrupted."""

    slot: str
    device: str = "cpu"
    _looked_at: float = float("-inf")
    _cpu: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Seconds of all cores at the last look: idle, ours, total."""
    _idle: bool = False

    def open(self, now: float, training_over: bool) -> bool:
        """`training_over` is about the run in question."""
        if self.slot == "always":
            return True
        if self.slot == "after-training":
            return training_over
        if self.slot == "idle":
            return self._device_idle(now)
        return in_window(self.slot, now)

    def clock_was_set(self, by: float) -> None:
        """The next look comes as if nobody had set the clock `by` seconds."""
        self._looked_at += by

    def _device_idle(self, now: float) -> bool:
        """As of the last look. What we and our own workers do is nobody's load."""
        if now - self._looked_at >= LOOK_EVERY_S:
            self._looked_at = now
            self._idle = _gpu_idle(self.device) if self.device.startswith("cuda") else self._cpu_idle()
        return self._idle

    def _cpu_idle(self) -> bool:
        """Whether the cores had little to do for others since the last look; no at the first."""
        import psutil  # `midwatch --help` works without it

        times = psutil.cpu_times()
        before, self._cpu = self._cpu, (times.idle, _own_cpu_s(), sum(times))
        idle, ours, total = (now - then for now, then in zip(self._cpu, before, strict=True))
        first = before == (0.0, 0.0, 0.0)
        return not first and total > 0 and 1 - (idle + max(0.0, ours)) / total < IDLE_SHARE


def _own_cpu_s() -> float:
    """CPU seconds that we, our workers and those that have ended have used."""
    import psutil  # `midwatch --help` works without it

    us = psutil.Process()
    spent = sum(us.cpu_times()[:4])  # those of ended children are the third and fourth
    for child in us.children(recursive=True):
        try:
            spent += sum(child.cpu_times()[:4])
        except psutil.NoSuchProcess:  # it has ended, and its parent's sum has what it used
            continue
    return spent


def _gpu_id(device: str) -> str:
    """The index or UUID by which nvidia-smi knows a device: CUDA counts only the visible ones."""
    index = device.partition(":")[2] or "0"
    visible = [each.strip() for each in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")]
    return visible[int(index)] if visible[0] and int(index) < len(visible) else index


def _gpu_idle(device: str) -> bool:
    """Whether nobody but us computes on the GPU, as nvidia-smi tells; without nvidia-smi it is never idle."""
    if shutil.which("nvidia-smi") is None:
        return False
    query = ["nvidia-smi", "--query-compute-apps=pid", "--format=csv,noheader", f"--id={_gpu_id(device)}"]
    try:
        listed = subprocess.run(query, capture_output=True, text=True, timeout=10, check=True, cwd=NEUTRAL).stdout
    except (subprocess.SubprocessError, OSError):
        return False
    import psutil  # `midwatch --help` works without it

    ours = {os.getpid(), *(child.pid for child in psutil.Process().children(recursive=True))}
    return not ({int(pid) for pid in listed.split() if pid.isdigit()} - ours)
