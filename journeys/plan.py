"""Which stages a pipeline has, from its settings: the components' own commands, as a user would type them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from journeys.children import split_cores
from journeys.places import Judge, Places
from journeys.settings import PipelineSettings
from journeys.stage import Stage, no_files
from shared.errors import UsageError
from shared.files import write_bytes_atomic

USUAL_S = {"prepare": 5.0, "train": 240.0, "watch": 60.0, "evaluate": 40.0, "attack": 120.0, "report": 15.0}
"""Seconds of each command for the shipped prompts and model on two cores."""


class Plan:
    """The stages of one pipeline."""

    def __init__(self, settings: PipelineSettings, places: Places) -> None:
        """Raises UsageError for settings that contradict each other."""
        self.settings = settings
        self.places = places
        if settings.rounds and (settings.skip_open_ended or settings.skip_training or settings.eval_only):
            raise UsageError("--rounds retrains on what the open-ended testing finds; leave out what skips these.")
        if settings.rounds and settings.skip_data_prep and not places.is_prepared:
            raise UsageError(
                "--rounds needs prepared data, whose splits all judges share; leave out --skip-data-prep."
            )

    def stages(self) -> list[Stage]:
        """All of them, in order; those that the user leaves out, too."""
        judge = self.places.judge
        return [
            self._prepare(),
            self._train("train", judge, self._skip("skip_training"), more=list, seed=self.settings.seed),
            self._watch(judge),
            self._evaluate("evaluate", judge, "train", skipped=self._skip("skip_evaluation")),
            self._attack("attack", judge, "train"),
            *(stage for number in range(1, self.settings.rounds + 1) for stage in self._round(number)),
            self._report(judge),
        ]

    @property
    def trains_nothing(self) -> bool:
        """Whether the judge has to be there already."""
        return bool(self._skip("skip_training"))

    def write_sections(self) -> None:
        """The config file's sections, as files of the commands they are for. Raises OSError."""
        for name in USUAL_S:
            if section := getattr(self.settings, name):
                write_bytes_atomic(self._section(name), yaml.safe_dump(section, allow_unicode=True).encode())

    def _prepare(self) -> Stage:
        settings = self.settings
        words = ["prepare", str(self.places.prepared), "--seed", str(settings.seed)]
        words += [word for source in settings.data for word in ("--data", source)]
        return Stage(
            "prepare",
            lambda: self._with_section("prepare", words),
            made=lambda: self.places.is_prepared,
            skipped=self._skip("skip_data_prep"),
            fixed=True,
            usual_s=USUAL_S["prepare"],
        )

    def _train(
        self,
        name: str,
        judge: Judge,
        skipped: str,
        more: Callable[[], list[str]],
        seed: int,
        beside: str = "",
        needs: Sequence[str] = (),
        inputs: Callable[[], Sequence[Path]] = no_files,
    ) -> Stage:
        """A training; `more` words are what it learns from beside the prepared data."""
        settings = self.settings
        cores, others = split_cores()

        def words() -> list[str]:
            found = ["train", "--output-dir", str(judge.path), "--seed", str(seed), *more()]
            found += ["--model", settings.model] if settings.model else []
            found += ["--epochs", f"{settings.epochs:g}"] if settings.epochs else []
            if settings.skip_data_prep and not self.places.is_prepared:
                found += [word for source in settings.data for word in ("--data", source)]
            else:
                found += ["--prepared", str(self.places.prepared)]
            return self._with_section("train", found)

        data = () if settings.skip_data_prep else ("prepare",)
        return Stage(
            name,
            words,
            made=lambda: judge.trained,
            needs=(*data, *needs),
            skipped=skipped,
            resume=lambda: ["--resume"] if judge.begun else [],
            beside=beside,
            cores=others if beside else cores,
            share=judge.share_trained,
            inputs=inputs,
            fixed=True,
            usual_s=USUAL_S["train"],
        )

    def _watch(self, judge: Judge) -> Stage:
        settings = self.settings
        suite = "advanced" if settings.run_advanced_mi else "basic"
        words = ["watch", str(judge.path), "--suite", suite, "--interval", str(settings.visualization_interval)]
        _, cores = split_cores()
        off = "" if settings.visualize_training else "--no-visualize-training"
        return Stage(
            "watch",
            lambda: self._with_section("watch", words),
            made=lambda: judge.analysed,
            why_not=judge.why_not_analysed,
            needs=("train",),
            skipped=off or self._skip("skip_training"),
            alone=("--once",),
            beside="train",
            until=lambda: judge.settled,
            cores=cores,
            share=judge.share_analysed,
            usual_s=USUAL_S["watch"],
        )

    def _evaluate(
        self,
        name: str,
        judge: Judge,
        *needs: str,
        data: Callable[[], Path | None] | None = None,
        skipped: str = "",
        beside: str = "",
    ) -> Stage:
        """On the judge's own test split, or on `data`, which is there once `needs` are done."""
        cores, others = split_cores()

        def words() -> list[str]:
            path = data() if data is not None else None
            found = ["evaluate", str(judge.path), "--checkpoint", "best"]
            return self._with_section("evaluate", [*found, *(["--data", str(path)] if path else [])])

        return Stage(
            name,
            words,
            made=lambda: judge.evaluation("fresh" if data is not None else "test") is not None,
            needs=needs,
            skipped=skipped,
            beside=beside,
            inputs=lambda: [path for path in [data() if data is not None else None] if path is not None],
            cores=others if beside else cores,
            usual_s=USUAL_S["evaluate"],
        )

    def _attack(self, name: str, judge: Judge, *needs: str) -> Stage:
        settings = self.settings

        def words() -> list[str]:
            found = ["attack", str(judge.path), "--checkpoint", "best", "--seed", str(settings.seed)]
            found += ["--budget", str(settings.budget)] if settings.budget else []
            # what it finds of training prompts may join a training; of test prompts it may not
            found += ["--data", str(self.places.prepared / "train.jsonl")] if self.places.is_prepared else []
            return self._with_section("attack", found)

        return Stage(
            name,
            words,
            made=lambda: judge.attack("archive.json") is not None,
            needs=needs,
            skipped=self._skip("skip_open_ended"),
            usual_s=USUAL_S["attack"],
        )

    def _round(self, number: int) -> list[Stage]:
        """Retrain with what was found so far, beside a control; measure both; attack again."""
        places, title = self.places, f"round {number}"
        attacked = "attack" if number == 1 else f"round {number - 1} attack"
        judge, control = places.retrained(number), places.control(number)
        seed = self.settings.seed + number  # of both: the first judge's own seed would train it again as it was

        def additions() -> list[str]:
            return [word for path in places.additions(number) for word in ("--added-data", str(path))]

        def fresh() -> Path | None:
            return places.retrained(number - 1).attack("fresh.jsonl")

        train, trained_control = f"{title} train", f"{title} control"
        fresh_judge = f"{title} judge on fresh attacks"
        return [
            self._train(train, judge, "", additions, seed, needs=(attacked,),
                        inputs=partial(places.additions, number)),
            self._train(trained_control, control, "", list, seed, beside=train, needs=(attacked,)),
            self._evaluate(fresh_judge, judge, train, attacked, data=fresh),
            self._evaluate(f"{title} control on fresh attacks", control, trained_control, attacked, data=fresh,
                           beside=fresh_judge),
            self._evaluate(f"{title} judge on test", judge, train),
            self._evaluate(f"{title} control on test", control, trained_control, beside=f"{title} judge on test"),
            self._attack(f"{title} attack", judge, train),
        ]  # fmt: skip

    def _report(self, judge: Judge) -> Stage:
        words = ["report", str(judge.path), "--to", str(self.places.report)]
        return Stage(
            "report",
            lambda: self._with_section("report", words),
            made=self.places.report.is_file,
            needs=("train",),
            skipped=self._skip("skip_report"),
            again=True,
            usual_s=USUAL_S["report"],
        )

    def _skip(self, name: str) -> str:
        """The option that leaves a stage out; empty where none does."""
        only = self.settings.eval_only and name != "skip_evaluation"
        given = "eval_only" if only else name if getattr(self.settings, name) else ""
        return f"--{given.replace('_', '-')}" if given else ""

    def _with_section(self, name: str, words: list[str]) -> list[str]:
        section: dict[str, Any] = getattr(self.settings, name)
        return [*words, *(["--config", str(self._section(name))] if section else [])]

    def _section(self, name: str) -> Path:
        return self.places.root / "configs" / f"{name}.yaml"
