"""Reading a checkpoint's wrong verdicts from a run's files."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from shared.errors import RunError, SchemaError
from shared.findings.parts import typed_result
from shared.findings.tokens import TokensResult
from shared.prompts.of_run import probe_set_of
from shared.results import ResultStore
from shared.run import Run
from shared.views.failures.wrong import Failures, failures_of
from shared.views.overview.facts import CheckpointFacts
from shared.views.overview.gather import facts_of_run
from shared.views.overview.standing import newest_judged


def failures_of_run(
    run: Run, choose: Callable[[Sequence[CheckpointFacts]], str | None] = lambda _facts: None
) -> Failures:
    """The wrong verdicts of the checkpoint whose name `choose` gives; where it is None, of the newest judged.

    Raises what `choose` raises, and RunError, one sentence that says what to do, where they cannot be told.
    """
    facts = facts_of_run(run)
    shown = _shown(run, facts, choose(facts))
    probes = probe_set_of(run, shown.probe_digest)
    if probes is None:
        raise RunError(
            f"The probe set that {shown.label} of {run.name} was judged on is not there any more; analyse it again:"
            f" midwatch analyze {run.path} --steps {shown.step}"
        )
    tokens, why = _tokens(run, shown.name)
    found = failures_of(facts, shown.name, probes.probes, tokens, why)
    if found is None:
        raise RunError(
            f"The verdicts of {shown.label} of {run.name} are not there prompt by prompt; analyse it again: "
            f"midwatch analyze {run.path} --steps {shown.step} --force"
        )
    return found


def _shown(run: Run, facts: Sequence[CheckpointFacts], name: str | None) -> CheckpointFacts:
    found = newest_judged(facts) if name is None else next((each for each in facts if each.name == name), None)
    if found is None or not found.judged:
        what = "No checkpoint" if found is None and name is None else name
        raise RunError(f"{what} of {run.name} has verdicts yet; analyse it first: midwatch analyze {run.path}")
    return found


def _tokens(run: Run, name: str) -> tuple[TokensResult | None, str]:
    """The attributed words, or why there are none."""
    try:
        record = ResultStore(run.results).newest(name, "tokens")
        return (None, "words not analysed") if record is None else (typed_result(record, TokensResult), "")
    except (SchemaError, OSError):
        return None, "words unreadable"
