"""The figures of an attack, each with its words: the archive, success, and what became of it over the run."""

from __future__ import annotations

from shared.figures.attack.heat_map import heat_map_figure
from shared.figures.attack.holds import holds_figure
from shared.figures.attack.success import success_figure
from shared.findings.attack import AttackArchive
from shared.findings.attack_sentences import extent, headline, over_checkpoints, share, strongest
from shared.findings.parts import interval_cells
from shared.findings.text import escape
from shared.views import Panel
from shared.views.attacked.words import READING, attack_method, attack_subtitle, claims, name_of


def attack_panels(archive: AttackArchive) -> list[Panel]:
    """The archive, success, and the transfer where the run has other checkpoints."""
    panels = [_archive_panel(archive), _success_panel(archive)]
    return [*panels, _transfer_panel(archive)] if len(archive.holds) > 1 else panels


def _archive_panel(archive: AttackArchive) -> Panel:
    said = [f"{name_of(each)}: {extent(each)}." for each in archive.directions]
    return Panel(
        stem="attack_archive",
        title="Surest failure of each risk and technique",
        figure=heat_map_figure(archive, escape(headline(archive), None), escape(attack_subtitle(archive), None)),
        caption="\n".join(f"{lead}:{rest}" for lead, rest in READING),
        alt=f"{headline(archive)}. {' '.join(said)}",
        rows=[
            {"is": direction.label} | cell.model_dump()
            for direction in archive.directions
            for cell in direction.cells
        ],
        badge=attack_method(archive),
        claims=claims(archive),
    )


def _success_panel(archive: AttackArchive) -> Panel:
    said = " ".join(f"{name_of(each)}: {sentence}" for each in archive.directions if (sentence := strongest(each)))
    groups = [
        (direction, by, found)
        for direction in archive.directions
        for by, listed in (("technique", direction.by_technique), ("risk", direction.by_risk))
        for found in listed
    ]
    return Panel(
        stem="attack_success",
        title="Seeds broken by technique and by risk",
        figure=success_figure(archive, escape(said or "Seeds broken by technique and by risk", None), ""),
        caption=(
            "What it shows: of the seeds that were tried, the share that was broken by at least one text, by "
            "technique on the left and by risk on the right. Bars are Wilson's 95 % intervals.\n"
            "How to read: each seed counts once. The search tries what works more often, so this is how far a "
            "search gets, not a rate over random prompts.\n"
            "Worrying: a technique, or a risk, whose whole interval lies above the others'."
        ),
        alt=" ".join(
            f"{name_of(direction)}, {found.name}: {found.broken} of {found.tried} ({share(found.share)})."
            for direction, _, found in groups
        ),
        rows=[
            {"is": direction.label, "by": by, "name": found.name, "tried": found.tried, "broken": found.broken}
            | interval_cells("share", found.share)
            for direction, by, found in groups
        ],
        badge=attack_method(archive),
        claims=claims(archive) and bool(said),
    )


def _transfer_panel(archive: AttackArchive) -> Panel:
    said = over_checkpoints(archive)
    return Panel(
        stem="attack_transfer",
        title="The attacks at every checkpoint",
        figure=holds_figure(archive, escape(f"The attacks on {archive.label} at every checkpoint", None), ""),
        caption=(
            f"{said}\n"
            "What it shows: of the failures found here, the share that each checkpoint judges wrongly, and the "
            "share that it judges wrongly although it gets the seed right: there the hole is open. Bars are 95 % "
            "intervals over seeds.\n"
            "How to read: the attacks were chosen for one checkpoint, so there they all work; compare the others.\n"
            "Worrying: holes that stay open from an early checkpoint to the last."
        ),
        alt=" ".join(
            f"{hold.label}: {share(hold.fooled)} judged wrongly, {share(hold.holes)} holes."
            for hold in archive.holds
        ),
        rows=[
            {"checkpoint": hold.checkpoint, "step": hold.step, "attacks": hold.of}
            | interval_cells("fooled", hold.fooled)
            | interval_cells("holes", hold.holes)
            for hold in archive.holds
        ],
        badge=attack_method(archive),
        claims=False,
    )
