"""`midwatch doctor`: do this machine and this run have what the analyzer needs? Each finding says what to do."""

from __future__ import annotations

import importlib.util
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import typer
from rich.console import Console
from rich.text import Text

from analyzer.checkpoints.base_model import bases_of
from analyzer.checkpoints.file_names import TRAINER_STATE, VOCABULARY_FILES
from analyzer.checkpoints.fingerprint import fingerprint
from analyzer.checkpoints.gate import QUIET_S
from analyzer.checkpoints.head_config import head_config
from analyzer.checkpoints.hub_cache import refused_link
from analyzer.checkpoints.not_ours import refuse_to_write_in
from analyzer.checkpoints.soundness import validate
from analyzer.commands.finding import Finding
from analyzer.commands.needed import NEEDED
from analyzer.commands.prompted.tokenizer import tokenizer_home
from analyzer.commands.run_names import pattern_of
from analyzer.commands.run_settings import DoctorSettings
from analyzer.commands.surroundings import around, planted
from analyzer.supervisor.disk_pause import can_write
from analyzer.supervisor.run_description import describe, run_record
from shared.checkpoint_names import ROOT
from shared.errors import MidwatchError, NoSuchRun, SchemaError
from shared.json_answer import print_json
from shared.judge_labels import class_names, sides_sentence
from shared.notices import PROBES_ASSUMED
from shared.prompts.probes import read_probes
from shared.records import JudgeRecord, RunRecord
from shared.run import Run

PACKAGES = (*NEEDED, "safetensors", "plotly")
LITTLE_DISK, LITTLE_MEMORY = 500 * 2**20, 2 * 2**30
"""Bytes below which there is a warning."""
FEW_WATCHES, FEW_INSTANCES = 1024, 16
"""inotify limits below which other programs may leave nothing for us."""


def examine(settings: DoctorSettings) -> None:
    """Print every finding; exit code 1 when something is broken."""
    console = Console(quiet=settings.as_json)
    styles = {"good": "green", "warning": "yellow", "broken": "red"}
    findings = []
    for finding in findings_of(settings):
        console.print(
            Text.assemble((f"{finding.state:8}", styles[finding.state]), f"{finding.what}: {finding.detail}")
        )
        findings.append(finding)
    if settings.as_json:
        print_json("doctor", settings.run, {"findings": [finding._asdict() for finding in findings]})
    if any(finding.state == "broken" for finding in findings):
        raise typer.Exit(1)


def findings_of(settings: DoctorSettings) -> Iterator[Finding]:
    """Everything worth knowing, the machine first."""
    run = _opened(settings)  # that there is no such directory comes before anything else
    yield from _packages()
    yield _guarded("device", lambda: _device(settings.device))
    yield _guarded("Plotly", _plotly)
    yield _memory()
    yield _events()
    if run is None:
        yield _disk(Path.cwd())
        yield planted()
        return
    if isinstance(run, Finding):
        yield run
        return
    yield _disk(run.out if run.out.exists() else run.path)
    yield _guarded("permission", lambda: _permission(run))
    yield from around(run)
    yield _links(run)
    yield _guarded("description", lambda: _description(run))
    yield _guarded("probe set", lambda: _probes(run))
    yield from _newest(run)


def _opened(settings: DoctorSettings) -> Run | Finding | None:
    """The run to look at, or why it cannot be; None where none was given. Raises NoSuchRun."""
    if settings.run is None:
        return None
    try:
        run = Run.at(settings.run, settings.out, pattern_of(settings.pattern))
        refuse_to_write_in(run)
    except NoSuchRun:
        raise
    except MidwatchError as error:
        return Finding("broken", "run", str(error))
    return run


def _guarded(what: str, check: Callable[[], Finding]) -> Finding:
    """A check whose failure is a finding, too."""
    try:
        return check()
    except (MidwatchError, ImportError, OSError, ValueError) as error:
        return Finding("broken", what, str(error))


def _packages() -> Iterator[Finding]:
    for name in PACKAGES:
        try:
            yield Finding("good", name, version(name))
        except PackageNotFoundError:
            yield Finding("broken", name, "not installed; run `pip install 'midwatch[analyzer]'`.")


def _device(wanted: str) -> Finding:
    if importlib.util.find_spec("torch") is None:
        return Finding("broken", "device", "torch is not installed; run `pip install 'midwatch[analyzer]'`.")
    import torch

    from analyzer.model.device import resolve_device

    device = resolve_device(wanted)
    if device == "cpu":
        return Finding("good", "device", f"cpu, {os.cpu_count()} cores (no GPU is used)")
    free, total = torch.cuda.mem_get_info(device)
    name = torch.cuda.get_device_name(device)
    state = "good" if free > LITTLE_MEMORY else "warning"
    hint = "" if state == "good" else "; choose another with --device, or analyse with --slot after-training"
    return Finding(state, "device", f"{device} {name}, {free / 2**30:.1f} of {total / 2**30:.1f} GiB free{hint}")


def _plotly() -> Finding:
    import plotly.graph_objects as go
    from plotly.offline import get_plotlyjs_version

    html = go.Figure(go.Scatter(y=[1, 2])).to_html(include_plotlyjs=False, full_html=False)
    state = "good" if "Plotly.newPlot" in html else "broken"
    return Finding(state, "Plotly", f"draws (plotly.js {get_plotlyjs_version()}, offline)")


def _memory() -> Finding:
    if importlib.util.find_spec("psutil") is None:
        return Finding("warning", "memory", "unknown, because psutil is not installed.")
    import psutil

    free = psutil.virtual_memory().available
    if free > LITTLE_MEMORY:
        return Finding("good", "memory", f"{free / 2**30:.1f} GiB available")
    return Finding(
        "warning", "memory", f"only {free / 2**30:.1f} GiB available; end what else runs, or add memory."
    )


def _events() -> Finding:
    """Whether the kernel tells us about new files; without it everything works a few seconds later."""
    folder = Path("/proc/sys/fs/inotify")
    if not folder.is_dir():
        return Finding("good", "file events", "by this system's own means")
    watches, instances = (int((folder / name).read_text()) for name in ("max_user_watches", "max_user_instances"))
    detail = f"inotify allows {watches} watches, {instances} instances"
    if watches >= FEW_WATCHES and instances >= FEW_INSTANCES:
        return Finding("good", "file events", detail)
    advice = "sudo sysctl fs.inotify.max_user_watches=65536 fs.inotify.max_user_instances=128"
    return Finding(
        "warning", "file events", f"{detail}; without them new files are seen seconds later: `{advice}`."
    )


def _disk(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    if free > LITTLE_DISK:
        return Finding("good", "disk", f"{free / 2**30:.1f} GiB free at {folder}")
    return Finding("warning", "disk", f"only {free / 2**20:.0f} MiB free at {folder}; free some space.")


def _permission(run: Run) -> Finding:
    run.refuse_links()
    if can_write(run.midwatch, size=1):
        return Finding("good", "permission", f"{run.midwatch} can be written")
    return Finding(
        "broken", "permission", f"{run.midwatch} cannot be written; choose another place with --out DIR."
    )


def _links(run: Run) -> Finding:
    """Hard links keep checkpoints alive that the trainer deletes."""
    names = run.checkpoints()
    files = sorted(run.directory_of(names[-1]).glob("*.safetensors")) if names else []
    if not files:
        return Finding("good", "pins", "nothing to try them on yet")
    try:
        run.refuse_links()
        with tempfile.TemporaryDirectory(dir=run.midwatch) as folder:
            os.link(files[0], Path(folder, "link"))
    except OSError as error:
        return Finding(
            "warning",
            "pins",
            f"no hard links here ({error.strerror}): what the trainer deletes cannot be analysed.",
        )
    return Finding("good", "pins", "hard links keep deleted checkpoints until they are analysed")


def _description(run: Run) -> Finding:
    record, names, source = run_record(run), run.checkpoints(), "run.json"
    if record is None:
        if not names:
            return Finding("warning", "description", "no run.json and no checkpoint yet")
        record, source = describe(run.directory_of(names[-1]), run)[0], "from the model's labels"
    told = f"{source}: {sides_sentence(record.judge, _class_names(run, record.judge))}"
    assumed = record.judge.assumed
    return Finding(
        "warning" if assumed else "good",
        "description",
        ". ".join((told, " ".join(assumed)) if assumed else (told,)),
    )


def _class_names(run: Run, judge: JudgeRecord) -> dict[int, str]:
    """What the newest checkpoint calls its classes; nothing where it does not say it, or there are no such."""
    names = run.checkpoints()
    if not names or judge.kind == "prompted":
        return {}
    try:
        return class_names(head_config(run.directory_of(names[-1]), Path(judge.base) if judge.base else None))
    except (OSError, MidwatchError):
        return {}


def _probes(run: Run) -> Finding:
    if not run.probes.exists():
        return Finding("warning", "probe set", PROBES_ASSUMED)
    found = read_probes(run.probes)
    state = "warning" if found.warnings else "good"
    return Finding(state, "probe set", f"{len(found.probes)} prompts. {' '.join(found.warnings)}".strip())


def _newest(run: Run) -> Iterator[Finding]:
    """Whether the newest checkpoint is sound, and its tokenizer loads."""
    names = run.checkpoints()
    if not names:
        yield Finding("warning", "checkpoints", f"{run.path} has none yet")
        return
    newest = run.directory_of(names[-1])

    def sound() -> Finding:
        weights = validate(newest, bases=bases_of(run, _record(run)))
        if link := refused_link(newest, fingerprint(newest, names[-1]), in_cache=names[-1] == ROOT):
            return Finding("broken", "checkpoints", f"{newest.name}/{link} is a symbolic link: put the file there.")
        detail = f"{len(names)}; {newest.name} holds {len(weights.tensors)} sound tensors"
        if not (newest / TRAINER_STATE).is_file() and not (run.commits / f"{names[-1]}.json").is_file():
            detail += f"; without a {TRAINER_STATE}, it counts as complete after {QUIET_S:g} s without a change"
        return Finding("good", "checkpoints", detail)

    yield _guarded("checkpoints", sound)
    if importlib.util.find_spec("transformers") is not None:
        yield _guarded("tokenizer", lambda: _tokenizer(tokenizer_home(newest, _base(run))))


def _record(run: Run) -> RunRecord | None:
    """run.json, where it can be read: that it is damaged is another finding."""
    try:
        return run_record(run)
    except SchemaError:
        return None


def _base(run: Run) -> Path | None:
    """Where run.json says that the base of the run's adapters is."""
    record = _record(run)
    return Path(record.judge.base) if record is not None and record.judge.base else None


def _tokenizer(home: Path) -> Finding:
    from transformers import AutoTokenizer

    if not any((home / name).is_file() for name in VOCABULARY_FILES):
        return Finding("broken", "tokenizer", "is missing: give the Trainer `processing_class=tokenizer`.")
    tokenizer = AutoTokenizer.from_pretrained(home, local_files_only=True, trust_remote_code=False)
    size = len(tokenizer("How do I bake bread?")["input_ids"])
    if not tokenizer.is_fast:
        return Finding(
            "warning", "tokenizer", "is a slow one without offsets: words cannot be marked in the prompt."
        )
    return Finding("good", "tokenizer", f"loads; {len(tokenizer)} tokens, a short question has {size}")
