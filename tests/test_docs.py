"""The documents are true: commands in them exist and run, files they name exist, nothing is left undocumented."""

from __future__ import annotations

import ast
import itertools
import re
import runpy
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from analyzer.jobs.messages import Failure
from midwatch import app
from shared.records import CheckpointState, CheckpointStatus, RunningStatus, Status
from shared.views import all_views
from tests.conftest import LONGEST, TOGETHER
from tests.e2e.inputs import OBJECTS, midwatch, write_prompts, write_train_config
from tests.making.commands_here import midwatch_here

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"(<!-- run -->\n)?```bash\n(.*?)```", re.DOTALL)
INLINE = re.compile(r"`((?:midwatch|make|docker compose) [^`\n]+)`")

DOCUMENTS = [
    *(path.name for path in ROOT.glob("*.md")),
    *(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")),
]


def blocks(*, run: bool) -> list[str]:
    """Command lines of the README's bash blocks: those marked to be run, or the others."""
    return [line for mark, text in BLOCK.findall(README) if bool(mark) == run for line in text.splitlines() if line]


def mentioned() -> list[str]:
    """Every command line in the README, in blocks and in running text."""
    return [*blocks(run=True), *blocks(run=False), *INLINE.findall(README)]


@pytest.mark.parametrize(
    "line", sorted({line for line in mentioned() if re.match(r"midwatch (?!COMMAND\b)", line)})
)
def test_command_lines_parse(line: str) -> None:
    """The command exists and takes these options and values, with dashes and with underscores."""
    name, *words = shlex.split(line)[1:]
    group: Any = typer.main.get_command(app)
    commands = group.commands
    if name.startswith("--"):
        assert [name, *words] in [each.opts for each in group.params], line
        return
    assert name in commands, line
    for spelling in (words, [re.sub(r"(?<=\w)-(?=\w)", "_", word) if word[:2] == "--" else word for word in words]):
        with commands[name].make_context(name, spelling, resilient_parsing=not words or "--help" in words):
            pass


@pytest.mark.parametrize("line", sorted({line for line in mentioned() if line.startswith("make ")}))
def test_make_targets_exist(line: str) -> None:
    targets = re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert line.split()[1] in targets


@pytest.mark.parametrize("line", sorted({line for line in mentioned() if line.startswith("docker compose ")}))
def test_compose_lines_name_files_and_services(line: str) -> None:
    words = shlex.split(line)
    for flag, value in itertools.pairwise(words):
        if flag == "-f":
            assert (ROOT / value).is_file()
    if "exec" in words:
        assert f"  {words[words.index('exec') + 1]}:\n" in (ROOT / "docker-compose.yml").read_text()


def test_make_help_lists_every_target() -> None:
    text = (ROOT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE)
    assert phony is not None
    done = subprocess.run(["make", "help"], capture_output=True, text=True, cwd=ROOT, check=True)
    for target in phony.group(1).split():
        assert f"make {target} " in done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the README's marked commands make sense: runs/judge, runs/theirs, prompts.jsonl."""
    folder = tmp_path_factory.mktemp("readme")
    config = write_train_config(folder / "inputs")
    write_prompts(folder / "prompts.jsonl", OBJECTS[:3])
    run = folder / "runs" / "judge"
    done = midwatch_here("train", "--config", config, "--output-dir", run, "--epochs", 3)
    assert done.returncode == 0, done.stderr
    theirs = folder / "runs" / "theirs"
    for checkpoint in run.glob("checkpoint-*"):
        copy = shutil.copytree(checkpoint, theirs / checkpoint.name)
        rename_classes(copy / "config.json")
        (copy / "trainer_state.json").touch()  # what Trainer writes last: newer than everything else
    return folder


def rename_classes(config: Path) -> None:
    """What plain transformers calls the classes of a model for which nobody named them."""
    text = config.read_text()
    assert '"unsafe"' in text
    config.write_text(text.replace('"unsafe"', '"LABEL_1"').replace('"safe"', '"LABEL_0"'))


@pytest.mark.timeout(1800)
def test_marked_commands_run(folder: Path) -> None:
    """In the README's order, as a reader types them; `watch` with its processes, the others in this one."""
    lines = blocks(run=True)
    assert len(lines) >= 8
    for line in lines:
        name, *words = shlex.split(line)[1:]
        done = (midwatch if name == "watch" else midwatch_here)(name, *words, cwd=folder)
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"


def test_train_config_example_is_valid(tmp_path: Path) -> None:
    from shared.settings import build
    from trainer.settings import TrainSettings

    examples = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    assert len(examples) == 1
    path = tmp_path / "train.yaml"
    path.write_text(examples[0])
    assert build(TrainSettings, {}, path).epochs == 5


def written_by(name: str) -> str:
    """What docs/<name>.py would write today."""
    return runpy.run_path(str(ROOT / "docs" / f"{name}.py"))["page"]()


def test_the_reference_is_up_to_date() -> None:
    """docs/commands.md is what `make docs` writes; so every option in it is the program's own."""
    assert (ROOT / "docs" / "commands.md").read_text(encoding="utf-8") == written_by("commands")


def test_every_column_of_an_export_is_documented() -> None:
    assert (ROOT / "docs" / "export.md").read_text(encoding="utf-8") == written_by("export")


def test_what_is_said_of_families_is_what_trying_them_finds() -> None:
    assert (ROOT / "docs" / "judges.md").read_text(encoding="utf-8") == written_by("judges")


def test_the_picture_of_the_floors_is_that_of_the_contracts() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert text == written_by("floors")
    for package in ("analyzer", "shared", "dashboard"):
        assert f"  subgraph {package}\n" in text
    drawn = {room for line in re.findall(r'\["(.+)"\]', text) for room in line.split(" · ")}
    rooms = {path.name for path in (ROOT / "analyzer").iterdir() if (path / "__init__.py").exists()}
    assert len(rooms) >= 14 and rooms <= drawn


def options() -> Iterator[tuple[str, Any]]:
    for name, command in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]
        for parameter in command.params:
            yield name, parameter


def test_every_option_says_what_it_does() -> None:
    silent = [f"{name} {parameter.name}" for name, parameter in options() if not getattr(parameter, "help", "x")]
    assert not silent


def test_every_command_analysis_and_state_is_in_the_readme() -> None:
    for name in {name for name, _ in options()}:
        assert f"| `midwatch {name}` |" in README
    for view in all_views():
        assert f"(`{view.name}`)" in README
    for state in CheckpointState:
        assert f"| `{state}` |" in README


def test_every_field_and_state_of_the_status_is_documented() -> None:
    page = (ROOT / "docs" / "status.md").read_text(encoding="utf-8")
    cells = {}
    for section in page.split("\n## ")[1:]:
        heading, _, text = section.partition("\n")
        firsts = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
        cells[heading] = {name for first in firsts for name in re.findall(r"`(\w+)`", first)}
    assert cells["Fields"] == set(Status.model_fields)
    assert cells["`jobs`"] == set(RunningStatus.model_fields)
    assert cells["`checkpoints`"] == {*CheckpointStatus.model_fields, *map(str, CheckpointState)}


def test_every_refusal_is_in_the_readme() -> None:
    codes = set(refusal_codes())
    assert {"truncated", "pickle", "needs_base"} <= codes
    assert not {code for code in codes if f"`{code}`" not in README}


def refusal_codes() -> Iterator[str]:
    """Codes that the analyzer's source gives CheckpointRejected, directly or through `_damaged`."""
    for path in (ROOT / "analyzer").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                place = {"CheckpointRejected": 0, "_damaged": 1}.get(node.func.id)
                if place is not None and len(node.args) > place and isinstance(node.args[place], ast.Constant):
                    yield node.args[place].value


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_to_files(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert target.startswith("http") or (ROOT / document).parent.joinpath(target).exists(), target


def test_contributing_names_files_that_exist() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    paths = list(re.findall(r"`([\w./-]+/[\w./-]*|\w+\.(?:py|toml|txt|yml))`", text))
    assert len(paths) > 15
    assert not [path for path in paths if not (ROOT / path).exists()]


def test_each_kind_of_sentence_names_a_test_that_exists() -> None:
    rows = [
        line for line in (ROOT / "docs" / "truth.md").read_text(encoding="utf-8").splitlines() if line[:3] == '| "'
    ]
    assert len(rows) > 25
    for row in rows:
        tests = re.findall(r"`(tests/[\w/]+\.py)`", row)
        assert tests and all((ROOT / path).is_file() for path in tests), row


def test_the_order_of_the_tests_names_files_that_exist() -> None:
    assert not [name for name in (*TOGETHER, *LONGEST) if "/" in name and not (ROOT / name).exists()]


def test_constraints_pin_names_and_versions_only() -> None:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", line) for line in lines)
    names = {re.sub(r"[-_.]+", "-", line.partition("==")[0]).lower() for line in lines}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = ("trainer", "analyzer", "dashboard", "demo", "dev")
    optional = [project["optional-dependencies"][extra] for extra in extras]
    requirements = itertools.chain(project["dependencies"], *optional)
    needed = {re.sub(r"[-_.]+", "-", re.split(r"[\[><=]", line)[0]).lower() for line in requirements}
    assert not needed - names


@pytest.mark.parametrize(
    ("page", "row"), [("logs.md", "`failure`"), ("operations.md", "`midwatch_failures_total`")]
)
def test_every_kind_of_failure_is_documented(page: str, row: str) -> None:
    (line,) = [line for line in (ROOT / "docs" / page).read_text().splitlines() if line.startswith(f"| {row} |")]
    assert {f"`{kind}`" for kind in Failure} <= set(re.findall("`[a-z]+`", line))


def test_every_heading_of_the_help_names_options_that_exist_once() -> None:
    from analyzer.commands.init import InitSettings
    from analyzer.commands.settings import AnalyzeSettings, WatchSettings

    for model in (InitSettings, AnalyzeSettings, WatchSettings):
        named = [name for names in model.sections.values() for name in names]
        assert len(named) == len(set(named))
        assert set(named) <= set(model.model_fields)
        positional = {"run", "runs", "log_format"}
        assert set(model.model_fields) - set(named) <= positional, "an option without a heading"
