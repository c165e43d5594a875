"""Chat templates become fixed text, the same as transformers makes of them; what cannot is one sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from analyzer.commands.prompted import chat
from analyzer.commands.prompted.chat import chat_templates, template_of_chat
from analyzer.commands.prompted.tokenizer import TokenizerFiles
from shared.errors import UsageError
from tests.making.guards import CHAT, bpe_tokenizer

PLAIN = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content | trim }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
TEMPLATES = {
    **CHAT,
    "plain": PLAIN,
    "generation": "{% for m in messages %}{% if m.role == 'assistant' %}{% generation %}{{ m.content }}"
    "{% endgeneration %}{% else %}{{ m.content }}\n{% endif %}{% endfor %}Answer:",
    "loop controls": "{% for m in messages %}{% if m.role == 'system' %}{{ m.content }}{% continue %}{% endif %}"
    "[{{ m.content }}]{% endfor %}{{ eos_token }}",
    "dated": "{{ bos_token }}{{ strftime_now('%Y') }} {{ messages[-1]['content'] }}\n",
    "tools": "{% if tools is not none and tools %}x{% endif %}{{ messages | length | tojson }}:"
    "{% for m in messages %}{{ m['content'] }} {% endfor %}",
}

LAST_ONLY = ("dated", "shieldgemma")
"""These write only what is asked last, or the two alike."""


def saved(path: Path, template: Any) -> TokenizerFiles:
    checkpoint = path / "checkpoint-1"
    bpe_tokenizer(["how do i bake"], chat_template=template).save_pretrained(checkpoint)
    return TokenizerFiles(checkpoint)


@pytest.mark.parametrize(
    ("response", "name"),
    [(False, name) for name in TEMPLATES] + [(True, name) for name in TEMPLATES if name not in LAST_ONLY],
)
def test_a_chat_template_is_what_transformers_makes_of_it(tmp_path: Path, name: str, response: bool) -> None:
    tokenizer = bpe_tokenizer(["how do i bake"], chat_template=TEMPLATES[name])
    options = {"guideline": "Nothing harmful."} if name == "shieldgemma" else {}
    found = template_of_chat(saved(tmp_path, TEMPLATES[name]), response=response, options=options)
    messages = [{"role": "user", "content": "how do i bake?"}]
    messages += [{"role": "assistant", "content": "in an oven"}] if response else []
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True, **options)
    assert found.replace("{prompt}", "how do i bake?").replace("{response}", "in an oven") == text


def test_a_system_message_is_written_where_the_template_has_a_place(tmp_path: Path) -> None:
    tokenizer = bpe_tokenizer(["how do i bake"], chat_template=PLAIN)
    found = template_of_chat(saved(tmp_path, PLAIN), system="Judge it.")
    messages = [{"role": "system", "content": "Judge it."}, {"role": "user", "content": "a cake"}]
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert found.replace("{prompt}", "a cake") == text
    with pytest.raises(UsageError, match="no place for a system message"):
        template_of_chat(saved(tmp_path / "b", "{{ messages[-1].content }}"), system="Judge it.")


def test_the_message_of_a_guard_stands_in_the_users_turn(tmp_path: Path) -> None:
    found = template_of_chat(saved(tmp_path, PLAIN), message="Is it safe?\n{prompt}\n-> {response}")
    assert found == "<|im_start|>user\nIs it safe?\n{prompt}\n-> {response}<|im_end|>\n<|im_start|>assistant\n"


def test_models_that_take_parts_get_parts(tmp_path: Path) -> None:
    parts = "{% for m in messages %}{% for part in m.content %}{{ part.text }}{% endfor %}{% endfor %}>"
    assert template_of_chat(saved(tmp_path, parts)) == "{prompt}>"


def test_named_templates_are_chosen_by_name(tmp_path: Path) -> None:
    named = {"default": "{{ messages[0].content }} one", "rag": "{{ messages[0].content }} two"}
    files = saved(tmp_path, named)
    assert chat_templates(files) == named
    assert template_of_chat(files) == "{prompt} one"
    assert template_of_chat(files, name="rag") == "{prompt} two"
    with pytest.raises(UsageError, match="--chat-template with one of default, rag"):
        template_of_chat(files, name="tools")
    config = files.home / "tokenizer_config.json"
    old = json.loads(config.read_text())
    pairs = [{"name": name, "template": text} for name, text in named.items()]
    for path in files.home.rglob("*.jinja"):
        path.unlink()
    config.write_text(json.dumps(old | {"chat_template": pairs}))
    assert chat_templates(TokenizerFiles(files.home)) == named, "as older versions saved them"


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{{ raise_exception('Roles must alternate.') }}", r"refuses this conversation \(Roles must alternate\)"),
        ("{{ messages[0].content | upper }}", "leaves out or rewrites what stands for"),
        ("{{ messages[0].content | tojson }}", "leaves out or rewrites"),
        ("{{ messages[0].content | e }}", "leaves out or rewrites"),
        ("nothing", "leaves out or rewrites"),
        ("{{ messages[0].content }}{{ messages[0].content }}", "repeats what stands for"),
        ("{{ messages[0].content }}{{ messages[0].content | length }}", "other text around other prompts"),
        ("{% for m in messages %}", "refuses this conversation"),
        ("{{ ''.__class__.__mro__ }}{{ messages[0].content }}", "refuses this conversation"),
        ("{{ messages.append(1) }}{{ messages[0].content }}", "refuses this conversation"),
        ("{prompt} {{ messages[0].content }}", "holds {prompt} 2 times"),
        ("{{ 1 / 0 }}{{ messages[0].content }}", r"refuses this conversation \(division by zero\)"),
        ("{% for i in range(10**9) %}{% endfor %}", r"refuses this conversation \(Range too big"),
        ("{{ 'a'.encode('no such') }}", r"refuses this conversation \(unknown encoding"),
        ("{{ messages[0].content }}{{ '\\ud800' }}", "refuses this conversation"),
        ("{{ 'a' * 10**11 }}{{ messages[0].content }}", r"refuses this conversation \(it wants too much memory"),
        ("{{ 'ab' * 10**6 }}{{ messages[0].content }}", "writes more than 1,048,576 characters"),
        (None, "has no chat template"),
    ],
)
def test_what_gives_no_fixed_text_is_one_sentence(tmp_path: Path, template: str | None, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        template_of_chat(saved(tmp_path, template))
    assert caught.value.exit_code == 2 and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "template",
    [
        "{% for i in range(99999) %}{% for j in range(99999) %}{% set x = 1 %}{% endfor %}{% endfor %}",
        "{{ 10 ** (10 ** 9) }}{{ messages[0].content }}",
    ],
)
def test_a_chat_template_without_an_end_is_stopped(
    tmp_path: Path, template: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chat, "LIMIT_S", 1.0)
    with pytest.raises(UsageError, match="does not come to an end within seconds"):
        template_of_chat(saved(tmp_path, template))
