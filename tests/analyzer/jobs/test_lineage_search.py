"""What a comparison looks at, found in stores of tiny records: no model, no supervisor."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from analyzer.jobs.keys import key_settings
from analyzer.jobs.lineage import WINDOW, Lineage
from analyzer.jobs.lineage_search import LineageSearch
from analyzer.jobs.messages import Computation
from analyzer.jobs.result_index import StoreIndex
from shared.records import JudgeRecord
from shared.results import ResultRecord, ResultStore
from shared.turns import COMPARING

JUDGE = JudgeRecord()
NAMES = ("tokens", "comparison", "heads", "circuits", COMPARING)
COMPUTATIONS = {name: Computation(suite="basic", version=1, settings={"n": len(name)}) for name in NAMES}
BASIC = ("tokens", "comparison")


class Store:
    """A result store that is filled by hand. A checkpoint's digest is "d<step>" unless it is given."""

    def __init__(self, root: Path) -> None:
        self.store = ResultStore(root)

    def search(
        self, computations: dict[str, Computation] = COMPUTATIONS, judge: JudgeRecord = JUDGE, probes: str = "p"
    ) -> LineageSearch:
        """A fresh look."""
        return LineageSearch(StoreIndex(self.store), computations, judge, probes)

    def add(self, step: int, *names: str, digest: str = "", epoch: float | None = None, probes: str = "p") -> None:
        """Commit these analyses of one checkpoint, with the settings of today."""
        digest = digest or f"d{step}"
        for name, key in (
            self.search(probes=probes).keys({name: COMPUTATIONS[name] for name in names}, digest).items()
        ):
            self._commit(step, name, key, digest, key_settings(COMPUTATIONS[name], JUDGE), epoch, probes)

    def compare(self, step: int, transfer: float | None = None) -> str:
        """Commit the comparison of a checkpoint with what there is by now; its key."""
        digest, search = f"d{step}", self.search()
        traced = search.traced({COMPARING: COMPUTATIONS[COMPARING]}, f"checkpoint-{step}", digest)
        key = search.keys(traced, digest)[COMPARING]
        settings = key_settings(traced[COMPARING], JUDGE)
        self._commit(step, COMPARING, key, digest, settings, None, "p", transfer)
        return key

    def _commit(
        self,
        step: int,
        name: str,
        key: str,
        digest: str,
        settings: dict,
        epoch: float | None,
        probes: str,
        transfer: float | None = None,
    ) -> None:
        record = ResultRecord(
            analysis=name,
            analysis_version=1,
            checkpoint=f"checkpoint-{step}",
            step=step,
            epoch=epoch,
            key=key,
            checkpoint_digest=digest,
            probe_digest=probes,
            settings=settings,
            summary={} if transfer is None else {"transfer_kept": transfer},
        )
        assert self.store.commit(record)

    def lineage(self, step: int, digest: str = "") -> Lineage:
        return self.search().lineage(f"checkpoint-{step}", digest or f"d{step}")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "results")


def steps(lineage: Lineage) -> list[int]:
    return [int(ancestor.checkpoint.removeprefix("checkpoint-")) for ancestor in lineage.earlier]


def test_an_empty_store_gives_an_empty_lineage(store: Store) -> None:
    assert store.lineage(10) == Lineage()
    assert store.search().epoch("checkpoint-10") is None
    assert store.search().comparisons("checkpoint-10") == []


def test_only_earlier_steps_as_numbers(store: Store) -> None:
    for step in (9, 10, 100, 11):
        store.add(step, *BASIC)
    assert steps(store.lineage(11)) == [9, 10]
    assert steps(store.lineage(100)) == [9, 10, 11]
    assert steps(store.lineage(9)) == []
    assert steps(store.lineage(50)) == [9, 10, 11], "of one that has nothing yet, too"


@pytest.mark.parametrize(
    ("count", "seen"),
    [
        (WINDOW - 1, range(1, WINDOW)),
        (WINDOW, range(1, WINDOW + 1)),
        (WINDOW + 1, range(1, WINDOW + 2)),
        (WINDOW + 2, [1, *range(3, WINDOW + 3)]),
        (WINDOW + 9, [1, *range(10, WINDOW + 10)]),
    ],
)
def test_the_first_one_and_the_window_before_it(store: Store, count: int, seen: Sequence[int]) -> None:
    for step in range(1, count + 1):
        store.add(step, "tokens")
    assert steps(store.lineage(1000)) == list(seen)


def test_what_does_not_count_as_analysed_leaves_no_gap(store: Store) -> None:
    """Layers alone tell nothing; a result of other probes or other settings is none of today's."""
    store.add(1, "tokens")
    store.add(2, "heads")
    store.add(3, "tokens", "comparison", probes="other")
    store.add(4, "comparison")
    assert steps(store.lineage(5)) == [1, 4]
    changed = COMPUTATIONS | {"tokens": Computation(suite="basic", version=1, settings={"n": 99})}
    assert [a.checkpoint for a in store.search(changed).lineage("checkpoint-5", "d5").earlier] == ["checkpoint-4"]
    newer = {name: each.model_copy(update={"version": 2}) for name, each in COMPUTATIONS.items()}
    assert store.search(newer).lineage("checkpoint-5", "d5") == Lineage()
    assert store.search(judge=JudgeRecord(max_length=64)).lineage("checkpoint-5", "d5") == Lineage()


def test_it_names_the_sources_that_are_committed(store: Store) -> None:
    store.add(1, "tokens", "heads")
    store.add(2, "tokens", "circuits")
    found = store.lineage(2)
    expected = store.search().keys({name: COMPUTATIONS[name] for name in NAMES}, "d2")
    assert found.own == {name: expected[name] for name in ("tokens", "circuits")}
    assert found.earlier[0].keys.keys() == {"tokens"}, "heads are no source"


def test_its_own_results_are_those_of_its_content(store: Store) -> None:
    """A checkpoint that was overwritten has nothing yet; the others see the content that was analysed."""
    store.add(1, "tokens", digest="old")
    assert store.lineage(1, "old").own.keys() == {"tokens"}
    assert store.lineage(1, "new").own == {}
    store.add(1, "circuits", digest="new")
    assert store.lineage(1, "new").own.keys() == {"circuits"}
    key = store.search().keys({"tokens": COMPUTATIONS["tokens"]}, "old")["tokens"]
    assert store.lineage(2).earlier[0].keys == {"tokens": key}


def test_an_ancestor_tells_whether_it_was_compared(store: Store) -> None:
    for step in (1, 2, 3):
        store.add(step, *BASIC, "circuits")
    store.compare(1)
    store.compare(2)
    store.compare(3, transfer=0.7)
    told = {a.checkpoint: (a.gram, a.transfer) for a in store.lineage(4).earlier}
    assert told == {"checkpoint-1": (True, False), "checkpoint-2": (True, False), "checkpoint-3": (True, True)}


def test_a_transfer_of_another_pair_of_circuits_is_none(store: Store) -> None:
    """What was measured between 1 and 3 says nothing once 2 is between them."""
    for step in (1, 3):
        store.add(step, "tokens", "circuits")
    store.compare(3, transfer=0.7)
    assert store.lineage(4).earlier[-1].transfer
    store.add(2, "tokens", "circuits")
    found = {a.checkpoint: a.transfer for a in store.lineage(4).earlier}
    assert found == {"checkpoint-1": False, "checkpoint-2": False, "checkpoint-3": False}


def test_the_key_of_a_comparison_follows_what_it_looks_at(store: Store) -> None:
    store.add(1, "tokens")
    store.add(3, "tokens")
    first = store.compare(3)
    assert [key for key, _ in store.search().comparisons("checkpoint-3")] == [first]
    store.add(5, "tokens")
    wanted = {COMPARING: COMPUTATIONS[COMPARING]}

    def key() -> str:
        search = store.search()
        return search.keys(search.traced(wanted, "checkpoint-3", "d3"), "d3")[COMPARING]

    assert key() == first, "a later one is none of its business"
    store.add(2, "tokens")
    assert key() != first
    assert [known for known, _ in store.search().comparisons("checkpoint-3")] == [first], "whatever it looked at"


def test_only_what_compares_is_traced(store: Store) -> None:
    store.add(1, "tokens")
    traced = store.search().traced({"tokens": COMPUTATIONS["tokens"]}, "checkpoint-2", "d2")
    assert traced == {"tokens": COMPUTATIONS["tokens"]}
    traced = store.search().traced(COMPUTATIONS, "checkpoint-2", "d2")
    assert [name for name, each in traced.items() if each.lineage is not None] == [COMPARING]
    assert COMPUTATIONS[COMPARING].lineage is None, "what the worker offers stays as it is"


def test_the_epoch_of_what_was_analysed(store: Store) -> None:
    store.add(1, "tokens", epoch=0.5)
    assert store.search().epoch("checkpoint-1") == 0.5
    assert store.search().epoch("checkpoint-2") is None


def test_the_order_of_arrival_tells_nothing(tmp_path: Path) -> None:
    """The same files give the same lineage to everybody, whenever they came."""
    every = [(step, name) for step in range(1, 16) for name in ("tokens", "circuits")]
    found = set()
    for seed in range(3):
        store = Store(tmp_path / str(seed))
        for step, name in random.Random(seed).sample(every, len(every)):
            store.add(step, name)
        found.add(store.lineage(15).model_dump_json())
    assert len(found) == 1
