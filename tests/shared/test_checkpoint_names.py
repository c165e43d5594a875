"""Which names are checkpoints', what they say, and what files are called after them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from shared.checkpoint_names import (
    MAX_DIGITS,
    RULES,
    Place,
    holds_model,
    is_plain,
    parse_pattern,
    place_of,
    slug,
    spoken,
    step_of,
)
from shared.checkpoint_places import AFTER_ALL, Noted, in_order, read_places, step_at
from shared.results import checkpoint_label, file_prefix

DOCUMENT = Path(__file__).parents[2] / "docs" / "checkpoints.md"

SAID = {
    "checkpoint-0": Place(0),
    "checkpoint-120": Place(120),
    "checkpoint-100-best": Place(100),
    "checkpoint_100": Place(100),
    "step_100": Place(100),
    "step-100": Place(100),
    "global_step1000": Place(1000),
    "iter_0000100": Place(100),
    "iter_500_hf": Place(500),
    "epoch_3": Place(None, 3),
    "epoch-3": Place(None, 3),
    "epoch_0": Place(None, 0),
    "epoch_1_step_50": Place(50, 1),
    "epoch=2-step=300.ckpt": Place(300, 2),
    "best-epoch=2-step=300-v1.ckpt": Place(300, 2),
    "final": Place(),
    "best_model": Place(),
    "merged": Place(),
    "last.ckpt": Place(),
    "checkpoint-" + "9" * 200: Place(),  # no step that anything could hold
}
NONE = [
    "", "checkpoint-", "checkpoint-12a", "checkpoint-12\n", "checkpoint-١٢", "xcheckpoint-1", "tmp-checkpoint-1",
    "checkpoint--1", "checkpoint-1.5", "epoch", "epochs_3", "finally", "finalists", "runs", "logs", "_midwatch",
    "training_visualizations", "../final", "final/", "best\udcff", "step_1e5", "root-model",
]  # fmt: skip


@pytest.mark.parametrize("name", SAID)
def test_a_name_says_where_a_checkpoint_belongs(name: str) -> None:
    assert place_of(name) == SAID[name]


@pytest.mark.parametrize("name", NONE)
def test_other_names_are_no_checkpoints(name: str) -> None:
    assert place_of(name) is None


def test_only_one_name_says_its_step_for_certain() -> None:
    assert [name for name in SAID if step_of(name) is not None] == ["checkpoint-0", "checkpoint-120"]


def test_every_rule_is_met_by_its_own_examples_first() -> None:
    for rule in RULES:
        for example in rule.examples:
            assert next(other for other in RULES if other.pattern.match(example)) is rule, example


def test_the_document_lists_the_rules() -> None:
    """The table of docs/checkpoints.md has a row for each rule, with its examples and who writes it."""
    table = DOCUMENT.read_text(encoding="utf-8").split("## Names of checkpoints")[1].split("\n\n")[1]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]
    assert [(tuple(re.findall(r"`(.+?)`", row[0])), row[1]) for row in rows] == [
        (rule.examples, rule.writers) for rule in RULES
    ]


@pytest.mark.parametrize("name", ["é" * 101, "a" * 201, ".hidden", "..", "a/b", "a\0", "bad\udcff", "", "a\nb"])
def test_names_that_no_folder_of_ours_is_called_after(name: str) -> None:
    assert not is_plain(name)


def test_labels_and_files_keep_their_rules_and_say_names() -> None:
    assert checkpoint_label(120, 3.0, "checkpoint-120") == checkpoint_label(120, 3.0) == "epoch 3"
    assert file_prefix(120, 3.0, "checkpoint-120") == "epoch_3"
    assert file_prefix(120, 2.5, "checkpoint-120") == "step_120"
    found = {name: (checkpoint_label(7, None, name), file_prefix(7, None, name)) for name in SAID}
    assert found["epoch-3"] == ("epoch 3", "epoch_3")
    assert found["epoch_0"] == ("epoch 0", "epoch_0")
    assert found["step_100"] == ("step 100", "step_100")
    assert found["final"] == ("final", "final")
    assert found["checkpoint-100-best"] == ("checkpoint-100-best", "checkpoint_100_best")
    assert found["best-epoch=2-step=300-v1.ckpt"][1] == "best_epoch_2_step_300_v1_ckpt"
    assert all(re.fullmatch(r"[a-z0-9_]{1,250}", prefix) for _, prefix in found.values())
    assert spoken("root-model") == "root model"
    assert re.fullmatch(r"checkpoint_[0-9a-f]+", slug("模型"))


@pytest.mark.parametrize(
    ("text", "name", "place"),
    [
        ("model-*", "model-e2-s300", Place(300)),
        ("model-*", "other-3", None),
        ("weights", "weights", Place()),
        ("*", "epoch_3", Place(None, 3)),
        (r"^model-e(?P<epoch>\d+)-s(?P<step>\d+)$", "model-e2-s300", Place(300, 2)),
        (r"^model-e(?P<epoch>\d+)", "model-e2", Place(None, 2)),
        (r"^model-e(?P<epoch>\d+)", "model-e2-more", None),
        (r"^m(?P<step>.*)", "mwhat", Place()),
        ("m*", "m" + "1" * 200, Place()),
    ],
)
def test_the_users_own_names(text: str, name: str, place: Place | None) -> None:
    assert parse_pattern(text).place(name) == place


@pytest.mark.parametrize("text", ["^model-(", "", "a/b", "^(?P<step>x", "^a{99999999999}"])
def test_a_pattern_that_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="model-"):
        parse_pattern(text)


def test_order_is_by_step_then_by_what_is_noted_then_after_all() -> None:
    names = ["final", "checkpoint-300", "root-model", "checkpoint-20", "best", "checkpoint-100"]
    assert in_order(names, {}) == [
        "checkpoint-20",
        "checkpoint-100",
        "checkpoint-300",
        "best",
        "final",
        "root-model",
    ]
    noted = {"best": Noted(step=101), "checkpoint-20": Noted(step=999)}
    assert in_order(names, noted)[:4] == ["checkpoint-20", "checkpoint-100", "best", "checkpoint-300"]
    assert step_at("final", {}) == AFTER_ALL == 10**MAX_DIGITS
    assert in_order(["epoch_10", "epoch_9"], {}) == ["epoch_9", "epoch_10"]


@pytest.mark.parametrize(
    "text",
    ["", "[]", '{"checkpoints": {"best": {"step": -1}}}', '{"checkpoints": {"best": 3}}', '{"schema_version": 99}'],
)
def test_notes_that_cannot_be_read_are_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "places.json").write_text(text)
    assert read_places(tmp_path) == {}
    assert read_places(tmp_path / "none") == {}


def test_notes_of_names_that_lead_elsewhere_are_dropped(tmp_path: Path) -> None:
    (tmp_path / "places.json").write_text('{"checkpoints": {"../x": {"step": 1}, "best": {"step": 2}}}')
    assert read_places(tmp_path) == {"best": Noted(step=2)}


def test_what_holds_a_model(tmp_path: Path) -> None:
    for name in ("config.json", "x.safetensors", "pytorch_model.bin", "__0_0.distcp", "zero_to_fp32.py"):
        folder = tmp_path / f"with-{name}"
        folder.mkdir()
        (folder / name).touch()
        assert holds_model(folder), name
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "loss.png").touch()
    assert not holds_model(tmp_path / "images")
    assert not holds_model(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "text",
    [
        *("^(a+)+$", "^(?:(?:x|a*)b?)*$", "^(?:a*?)+$", "^(?:a{2,})*", "^(a|a)+$", "^(a|aa)*$", "^(?:.|x)+$"),
        *("^(a{1,50}){1,50}$", "^((a|ab)c?)+x"),
    ],
)
def test_a_pattern_that_would_take_for_ever_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="repeats what repeats"):
        parse_pattern(text)


@pytest.mark.parametrize(
    "text", ["^m[a-z-]+_(?P<epoch>[0-9]+)(?:-best)?$", "^(?:ab){1,3}[0-9]+$", "^(?:a|b+)c+$", "^(down|dense|up)+$"]
)
def test_repeats_one_after_the_other_are_no_matter(text: str) -> None:
    assert parse_pattern(text).text == text
