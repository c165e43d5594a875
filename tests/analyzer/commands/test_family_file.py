"""`--family FILE` as people write it: what it may say, and one sentence for each mistake before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from analyzer.commands.family_file import read_families, read_family
from analyzer.commands.settings import AnalyzeSettings
from analyzer.model.families import FAMILIES
from shared.errors import UsageError
from shared.user_paths import MAX_BYTES
from tests.making.commands_here import midwatch
from tests.making.families import EXAMPLES, family_file
from tests.making.forms import short_and_long
from tests.making.runs import add_checkpoint, describe, judge_template

WHOLE = EXAMPLES["stablelm"]
MISTAKES = {
    "unknown": (
        WHOLE + "colour: red\n",
        "unknown field 'colour'; there are name, embeddings, embedding_block, beside_embeddings",
    ),
    "unknown below": (
        WHOLE.replace("  out: mlp.down_proj", "  output: mlp.down_proj"),
        "unknown field 'output' in mlp; there are module, out,",
    ),
    "unknown in a part": (
        WHOLE.replace("  module: mlp\n", "  module: mlp\n  norm: x\n"),
        "unknown field 'norm' in mlp; there are module, out, read_norm",
    ),
    "missing": (
        WHOLE.replace("pooling: last_token", ""),
        "pooling is missing; say it, or start from a known family",
    ),
    "value": (WHOLE.replace("last_token", "middle"), "pooling = 'middle': write 'cls'"),
    "path": (WHOLE.replace("layers: layers", "layers: 'layers[0]'"), "layers = 'layers[0]': write names joined by"),
    "climbing": (WHOLE.replace("layers: layers", "layers: ../x"), "layers = '../x': write names joined by dots"),
    "half": (WHOLE[: WHOLE.index("mlp:")], "attention and mlp belong together"),
    "two": (
        WHOLE.replace("self_attn.q_proj, ", ""),
        "name three modules (query, key, value), or one fused, or none",
    ),
    "one twice": (
        WHOLE.replace("self_attn.v_proj", "self_attn.k_proj"),
        "name three different modules (query, key, value), or one fused, or none",
    ),
    "like": ("name: x\nlike: gtp2\n", "like names no family that is known; there are bert, roberta"),
    "like a list": ("name: x\nlike: [bert]\n", "like names no family that is known"),
    "a block that is none": (
        "name: x\nlike: bert\nmlp: 3\n",
        "mlp = 3: write its fields below it, e.g. module and out",
    ),
    "list": ("- name\n", "must hold names and values"),
    "empty": ("", "must hold names and values"),
    "not YAML": ("name: [x\n", "is not valid YAML (line 2:"),
    "code": ("name: !!python/object/apply:os.system ['touch hacked']\n", "is not valid YAML (line 1: could not"),
    "deep": ("[" * 20_000, "is not valid YAML"),
    "itself": ("name: x\nlike: bert\nattention: &a\n  module: *a\n", "contains itself"),
    "a name twice": (WHOLE + "layers: blocks\n", "'layers' a second time"),
    "a date": ("name: 2024-99-99\n", "embeddings is missing"),
    "no integer": ("name: !!int ''\n", "is not valid YAML (line 1: a value that is no int)"),
    "a name as a list": (WHOLE.replace("[score]", "score"), "head = 'score': write a list, e.g. [score]"),
    "number": ("name: x\nlike: bert\n7: x\n", "unknown field '7'; there are name"),
    "large": ("#" * (MAX_BYTES + 1), "is larger than 64 KiB"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
@pytest.mark.parametrize("command", short_and_long(["analyze", "watch"]))
def test_a_mistake_is_one_sentence_and_nothing_starts(tmp_path: Path, mistake: str, command: str) -> None:
    text, sentence = MISTAKES[mistake]
    run = describe(tmp_path / "run")
    add_checkpoint(run, 10, judge_template(tmp_path), 1.0)
    file = tmp_path / "family.yaml"
    file.write_text(text)
    done = midwatch(command, run, "--family", file)
    assert done.returncode == 2, done.stderr
    assert sentence in done.stderr and done.stderr.count("\n") == 1 and "Traceback" not in done.stderr
    assert len(done.stderr) < 700
    assert not (run / "_midwatch" / "results").exists() and not (run / "_midwatch" / "status.json").exists()


@pytest.mark.parametrize("place", ["nowhere.yaml", "."])
def test_a_file_that_cannot_be_read(tmp_path: Path, place: str) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_family(tmp_path / place)


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_bytes(b"name: \xff\xfe\n")
    with pytest.raises(UsageError, match="is not valid YAML"):
        read_family(tmp_path / "x.yaml")


def test_two_files_for_one_family(tmp_path: Path) -> None:
    one, two = family_file(tmp_path / "a"), family_file(tmp_path / "b")
    with pytest.raises(UsageError, match="describes 'stablelm' already"):
        read_families([one, two])


@pytest.mark.parametrize("known", FAMILIES)
def test_every_entry_of_ours_can_be_written_as_a_file(tmp_path: Path, known: str) -> None:
    """A file says all that ours say, and reads back as the same."""
    file = tmp_path / "ours.yaml"
    file.write_text(yaml.safe_dump(FAMILIES[known].model_dump(mode="json", exclude_defaults=True)))
    assert read_family(file) == FAMILIES[known]
    assert read_family(family_file(tmp_path, known, like=known)) == FAMILIES[known]


def test_like_takes_over_what_the_file_does_not_say(tmp_path: Path) -> None:
    file = family_file(tmp_path, "mine", like="llama", mlp__out="mlp.w2", final_norm="ln", heads="n_head")
    family, llama = read_family(file), FAMILIES["llama"]
    assert family.mlp is not None and llama.mlp is not None and family.attention == llama.attention
    assert (family.name, family.final_norm, family.heads) == ("mine", "ln", "n_head")
    assert family.mlp == llama.mlp.model_copy(update={"out": "mlp.w2"})
    assert family.digest != llama.digest


def test_like_can_take_a_norm_or_both_blocks_away(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("name: mine\nlike: llama\nfinal_norm: null\nattention: null\nmlp: null\n")
    family = read_family(file)
    assert family.final_norm is None and family.attention is None and family.norm_position == "unknown"


def test_the_settings_carry_the_families_to_the_plan(tmp_path: Path) -> None:
    settings = AnalyzeSettings(run=tmp_path, family=[family_file(tmp_path)])
    assert list(settings.plan().families) == ["stablelm"]
