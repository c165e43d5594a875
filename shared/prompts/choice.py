"""From a source of labelled prompts to a probe set: how `midwatch init` chooses it, and who goes on without it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from shared.prompts.dedupe import deduplicate
from shared.prompts.groups import held_out
from shared.prompts.load import load_prompts, require_both_classes
from shared.prompts.probes import PER_CLASS, ProbeSet, choose_probes, further_pairs
from shared.prompts.source_settings import SourceSettings
from shared.records import Prompt

SHIPPED = "shipped"
"""Name of the source that comes with Midwatch."""


def probe_set_from(
    source: str = SHIPPED,
    settings: SourceSettings | None = None,
    train: Sequence[Prompt] | None = None,
    per_class: int = PER_CLASS,
    seed: int = 0,
    *,
    responses: bool = False,
) -> ProbeSet:
    """The probe set, and what should be known about it; the same for the same arguments.

    With `responses` what was answered to each prompt is read, too. `train` are the prompts of the training, which
    are kept out; None where they are not known. Raises UsageError for a source that is not usable, or too small.
    """
    # the settings about columns describe the user's own files, not the set that ships with Midwatch
    cleaned = deduplicate(load_prompts(source, None if source == SHIPPED else settings, responses=responses))
    prompts = held_out(cleaned.kept, train) if train is not None else cleaned.kept
    require_both_classes(prompts, f"The probe source {source}")
    probes = choose_probes(prompts, per_class, seed, max_share=1.0)
    warnings = [f"{source}: {cleaned.summary}"] if cleaned.removed else []
    sizes = Counter(probe.label for probe in probes)
    if min(sizes.values()) < per_class:
        warnings.append(
            f"{source} gives {sizes['safe']} safe and {sizes['unsafe']} unsafe probes, "
            f"fewer than the {per_class} each that were asked for."
        )
    if train is None:
        warnings.append(
            "Whether the training saw these probes cannot be checked; pass --train-data with its prompts to do so."
        )
    return ProbeSet(probes, warnings, further_pairs(prompts, probes, seed))
