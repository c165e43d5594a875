"""Options of more than one worker, and the engine that follows from them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, field_validator, model_validator

from analyzer.jobs.messages import WorkerOptions
from shared.errors import UsageError
from shared.settings import Settings

if TYPE_CHECKING:
    from analyzer.engines.engine import Engine

HARDWARE = (
    "device",
    "devices",
    "workers",
    "worker_command",
    "engine",
    "ray_address",
    "ray_gpus",
    "cores",
    "nice",
    "batch_tokens",
    "timeout",
    "backoff",
)
"""Options under the heading of the hardware, in order."""


class ManyWorkers(Settings):
    """How many workers there are, and where."""

    workers: int | None = Field(None, ge=1)
    """Worker processes, each with CPU cores of its own, or its own of the GPUs that `--device auto` finds; one when
    not given. A checkpoint is never split over workers (docs/cluster.md)."""
    devices: list[Annotated[str, Field(pattern=r"^(cpu|cuda:\d+)$")]] = Field([])
    """Devices with one worker each, instead of --device: --devices cuda:1,cuda:2; repeatable."""

    worker_command: list[str] = Field([])
    """Command that starts a worker elsewhere, with {worker} where the worker's own stands: 'srun --overlap -n1
    {worker}'. --workers says how many; given several times, one worker each (docs/cluster.md)."""

    engine: Literal["local", "ray"] = "local"
    """What runs the workers: `local`, processes of this machine or of --worker-command, or `ray` (extra [ray])."""
    ray_address: str | None = None
    """Address of the Ray cluster, `auto` for the one on this machine; one is started when not given."""
    ray_gpus: float = Field(0.0, ge=0)
    """GPUs of each Ray worker, whole or a share such as 0.5; it computes on the one that Ray gives it."""

    @field_validator("devices", mode="before")
    @classmethod
    def _separate(cls, given: object) -> object:
        """Several may stand in one value, separated by commas."""
        if not isinstance(given, list):
            return given
        return [part.strip() for text in given for part in str(text).split(",") if part.strip()]

    @model_validator(mode="after")
    def _check_workers(self) -> ManyWorkers:
        if twice := sorted({name for name in self.devices if self.devices.count(name) > 1}):
            raise ValueError(f"--devices {twice[0]} is there twice: each device gets one worker; name each once")
        if self.devices and self.workers not in (None, len(self.devices)):
            raise ValueError(
                f"--workers {self.workers} with {len(self.devices)} --devices: each device gets one worker; leave "
                "--workers out"
            )
        if len(self.worker_command) > 1 and self.workers not in (None, len(self.worker_command)):
            raise ValueError(
                f"--workers {self.workers} with {len(self.worker_command)} times --worker-command: each starts one "
                "worker; leave --workers out"
            )
        if self.worker_command and self.devices:
            raise ValueError(
                "--devices are this machine's; with --worker-command say --device, which is each worker's"
            )
        if self.engine == "ray" and (self.worker_command or self.devices):
            raise ValueError("--engine ray places the workers itself: leave --worker-command and --devices out")
        if self.engine != "ray" and (self.ray_address or self.ray_gpus):
            raise ValueError("--ray-address and --ray-gpus need --engine ray")
        return self

    def each_worker(self, options: WorkerOptions) -> list[WorkerOptions]:
        """What each worker needs to know. Raises UsageError where there is less hardware than they need."""
        if self.devices and options.device != "auto":
            raise UsageError("--device and --devices exclude each other; give --devices alone.")
        if options.device.startswith("cuda") and (self.workers or 1) > 1:
            raise UsageError(
                f"--workers {self.workers} on one GPU ({options.device}): name a GPU for each, as in --devices "
                "cuda:0,cuda:1."
            )
        return shared_out(options, self.devices or [options.device] * (self.workers or 1))

    def make_engine(self, options: WorkerOptions, timeout_s: float, wake: Callable[[], None]) -> Engine:
        """The engine that was asked for; `wake` is called whenever it has something to tell. Raises UsageError."""
        from analyzer.engines.local import LocalEngine
        from analyzer.engines.pool import Pool

        if self.engine == "ray":
            return self._on_ray(options, timeout_s, wake)
        if self.worker_command:
            return self._by_command(options, timeout_s, wake)
        engines = [LocalEngine(each, timeout_s, wake=wake) for each in self.each_worker(options)]
        return engines[0] if len(engines) == 1 else Pool(engines)

    def _by_command(self, options: WorkerOptions, timeout_s: float, wake: Callable[[], None]) -> Engine:
        from analyzer.engines.command import CommandEngine, parsed
        from analyzer.engines.pool import Pool

        several = len(self.worker_command) > 1
        commands = [parsed(each) for each in self.worker_command] * (1 if several else self.workers or 1)
        engines = [CommandEngine(options, command, timeout_s, wake) for command in commands]
        return engines[0] if len(engines) == 1 else Pool(engines)

    def _on_ray(self, options: WorkerOptions, timeout_s: float, wake: Callable[[], None]) -> Engine:
        from analyzer.engines.pool import Pool
        from analyzer.engines.ray import RayEngine, connect

        connect(self.ray_address)
        gpus = {"num_gpus": self.ray_gpus}
        engines = [
            RayEngine(options, timeout_s, wake, address=self.ray_address, resources=gpus)
            for _ in range(self.workers or 1)
        ]
        return engines[0] if len(engines) == 1 else Pool(engines)

    def refuse_slot(self, slot: str) -> None:
        """Raises UsageError for a slot that looks at this machine where the workers are elsewhere."""
        if slot == "idle" and (self.worker_command or self.engine == "ray"):
            raise UsageError(
                "--slot idle looks at this machine's device, and the workers may be elsewhere; choose always, "
                "after-training or a daily window."
            )


def shared_out(options: WorkerOptions, devices: Sequence[str]) -> list[WorkerOptions]:
    """The options of one worker a device; those that may compute on the CPU share its cores, each with its own.

    One worker alone gets `options` as they are. Raises UsageError where there are fewer cores than they need.
    """
    if len(devices) == 1:
        return [options.model_copy(update={"device": devices[0]})]
    with_cores = len(devices) if options.cores else sum(not device.startswith("cuda") for device in devices)
    cores = options.cores or (max(1, core_count() // with_cores) if with_cores else None)
    if cores is not None and (needed := cores * with_cores) > core_count():
        words = "core" if cores == 1 else "cores"
        raise UsageError(
            f"{with_cores} workers of {cores} {words} each need {needed}, and {core_count()} may be used here; ask "
            "for fewer --workers."
        )
    found, rank = [], 0
    for device in devices:
        own = options.cores or (None if device.startswith("cuda") else cores)
        found.append(options.model_copy(update={"device": device, "cores": own, "rank": rank if own else 0}))
        rank += own is not None
    return found


def core_count() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
