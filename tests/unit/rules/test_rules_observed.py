"""A sample of a box is put to targets, and what they answer is told: here to workers that do what is documented."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from harness import Case, Layer, reference
from harness.frameworks import registry
from harness.frameworks.base import Api
from harness.records import Observation, Outcome, Resolved
from harness.rules.calls import KERAS, TORCH
from harness.rules.decide import Decision, decide
from harness.rules.observe import SAMPLE, Observed, Seated, submit
from harness.rules.result import Result, told
from harness.rules.statement import Statement, Verdict
from harness.rules.statements import STATEMENTS
from harness.workers.pool import Pool, Request

BY_ID = {one.id: one for one in STATEMENTS}
APIS = {one.name: one() for one in registry.apis()}
KNOWN = [*{one.name for one in registry.apis() if one.framework in registry.DEFAULT}]

#: what a worker makes of an output
Worker = Callable[[NDArray[Any]], NDArray[Any]]


class Documented:
    """Stands in for the pool: every call gives what its documentation says, changed by ``worker``."""

    def __init__(self, worker: Worker = lambda output: output, outcome: Outcome = Outcome.OK) -> None:
        self._worker = worker
        self._outcome = outcome
        self.put: list[Case] = []

    def submit(self, put: Sequence[tuple[Case, Sequence[Request]]]) -> Any:
        """Answers at once."""
        self.put += [case for case, _ in put]
        return [{one.target: self._answer(case, one) for one in requests} for case, requests in put]

    def collect(self, ticket: Any) -> Any:
        """What was answered."""
        return ticket

    def _answer(self, case: Case, request: Request) -> Observation:
        layer = meaning(case)
        if layer is None or min(layer.output_size(case.input_size)) < 0:
            return Observation(request.target, Outcome.REJECTED, error="ValueError: no")
        if self._outcome is not Outcome.OK:
            return Observation(request.target, self._outcome)
        values = self._worker(reference.conv_transpose(*case.arrays(layer), layer))
        return Observation(request.target, Outcome.OK, shape=values.shape, values=values)


def meaning(case: Case) -> Layer | None:
    """The layer of a case; None of a call that is not documented to be legal."""
    if case.spelling is None:
        return case.layer
    resolved = APIS[case.spelling.api].resolve(case.spelling, case.input_size)
    return resolved.layer if isinstance(resolved, Resolved) else None


def observed(
    statement: Statement, name: str, pool: Documented, decision: Decision | None = None, api: Api | None = None
) -> tuple[Observed, ...]:
    """What a statement comes to on one target."""
    target = Seated(f"{name}+mode", name, api or APIS.get(name), True)
    found = decision or decide(statement, drawn=1)
    return submit(statement, found, [target], cast(Pool, pool)).collect(cast(Pool, pool))


def concerned(statement: Statement) -> list[str]:
    """The APIs that a statement speaks of."""
    return [name for name in KNOWN if not statement.asking.apis or name in statement.asking.apis]


@pytest.mark.parametrize("number", BY_ID)
def test_who_does_what_is_documented_confirms_every_rule(number: int) -> None:
    """On each API that the rule speaks of; Keras documents for all backends what some of them do."""
    statement, decision = BY_ID[number], decide(BY_ID[number], drawn=1)
    for name in concerned(statement):
        (one,) = observed(statement, name, Documented(), decision)
        assert one.verdict is (Verdict.HOLDS if name == KERAS and number == 14 else statement.recorded), name
        assert SAMPLE // 2 <= one.checked <= 2 * SAMPLE
        assert (one.counterexample is None) == (one.holds_on == one.checked)


def shorter(output: NDArray[Any]) -> NDArray[Any]:
    """One element less."""
    return output[:, :, :-1]


def shifted(output: NDArray[Any]) -> NDArray[Any]:
    """Everything one place further."""
    return np.roll(output, 1, axis=2) + 1


@pytest.mark.parametrize("worker", [shorter, shifted])
@pytest.mark.parametrize("number", [4, 9, 10, 11, 13, 15, 17, 18])
def test_who_computes_something_else_is_noticed(number: int, worker: Worker) -> None:
    """Rules about values: a size or values that are others give another verdict than the recorded one."""
    statement = BY_ID[number]
    for name in concerned(statement):
        (one,) = observed(statement, name, Documented(worker))
        assert one.verdict is Verdict.FAILS


@pytest.mark.parametrize("number", [1, 2, 3, 5, 6, 7, 8, 12, 14, 16])
def test_who_gives_other_sizes_is_noticed(number: int) -> None:
    """Rules about sizes, on the API of which they speak."""
    statement = BY_ID[number]
    (one,) = observed(statement, concerned(statement)[0], Documented(shorter))
    assert one.verdict is Verdict.FAILS


@pytest.mark.parametrize("outcome", [Outcome.CRASHED, Outcome.SKIPPED, Outcome.TIMED_OUT, Outcome.OUT_OF_MEMORY])
def test_who_does_not_answer_tells_nothing(outcome: Outcome) -> None:
    """No verdict is made of silence."""
    assert observed(BY_ID[4], TORCH, Documented(outcome=outcome)) == ()


def test_a_rejection_tells_of_sizes_and_not_of_values() -> None:
    """A rule that says which size comes out is wrong where none does."""
    assert observed(BY_ID[9], TORCH, Documented(outcome=Outcome.REJECTED)) == ()
    (one,) = observed(BY_ID[5], TORCH, Documented(outcome=Outcome.REJECTED))
    assert (one.verdict, one.holds_on) == (Verdict.FAILS, 0)


def test_output_padding_that_is_refused_at_stride_1_does_not_matter() -> None:
    """Were PyTorch to refuse it, rule 7 would hold: that would be news."""
    refusing = Documented()
    accept = refusing._answer

    def answer(case: Case, request: Request) -> Observation:
        layer = meaning(case)
        assert layer is not None
        refused = Observation(request.target, Outcome.REJECTED, error="ValueError: output_padding")
        return refused if max(layer.output_padding) > 0 else accept(case, request)

    refusing._answer = answer  # type: ignore[method-assign]
    (one,) = observed(BY_ID[7], TORCH, refusing)
    assert one.verdict is Verdict.HOLDS


def test_output_of_another_shape_is_no_answer() -> None:
    """A target that returns garbage confirms nothing."""
    (one,) = observed(BY_ID[5], TORCH, Documented(lambda output: output[:, :1]))
    assert one.holds_on == 0


def test_a_target_without_words_is_asked_for_layers() -> None:
    """Rules about every API speak of a third party's class, too; those about some API's words do not."""
    pool = Documented()
    target = Seated("mine:Mine+default", "mine:Mine", None, True)
    found = submit(BY_ID[4], decide(BY_ID[4], drawn=1), [target], cast(Pool, pool)).collect(cast(Pool, pool))
    assert [one.verdict for one in found] == [Verdict.HOLDS]
    assert all(case.layer is not None for case in pool.put)
    assert submit(BY_ID[5], decide(BY_ID[5], drawn=1), [target], cast(Pool, pool)).collect(cast(Pool, pool)) == ()


def test_modes_that_are_not_the_usual_one_are_asked_where_a_rule_is_about_them() -> None:
    """Keras's formula is put to every backend, anything else to the first."""
    pool = Documented()
    target = Seated(f"{KERAS}+jax", KERAS, APIS[KERAS], False)
    for number, count in ((14, 1), (9, 0)):
        found = submit(BY_ID[number], decide(BY_ID[number], drawn=1), [target], cast(Pool, pool))
        assert len(found.collect(cast(Pool, pool))) == count


def result(number: int, recorded: Verdict | None = None, **observed: Verdict) -> Result:
    """A rule that is decided, with what was observed by target."""
    statement = BY_ID[number] if recorded is None else replace(BY_ID[number], recorded=recorded)
    seen = tuple(Observed(name, one, 12, 6, {"k": 2}) for name, one in observed.items())
    return Result(statement, decide(statement, drawn=1), seen)


def test_what_is_as_recorded_is_no_difference() -> None:
    """A verdict, and one of a target for which another one is recorded, with its environment."""
    assert result(5, **{f"{TORCH}+eager": Verdict.CONDITIONAL}).differences == ()
    assert result(14, **{f"{KERAS}+jax@old": Verdict.HOLDS, f"{KERAS}+torch": Verdict.HOLDS}).differences == ()


def test_a_verdict_that_is_not_recorded_is_a_difference() -> None:
    """Of the arithmetic or of a target; the sentence has both verdicts and the tuple."""
    (said,) = result(5, Verdict.HOLDS).differences
    assert "conditional" in said
    assert "k=2" in said
    (said,) = result(5, **{f"{TORCH}+eager": Verdict.HOLDS}).differences
    assert said.startswith(f"{TORCH}+eager: it holds on 6 of 12: holds, recorded is conditional")


def test_a_condition_that_is_not_exact_is_a_difference() -> None:
    """The sentence has the condition and the smallest tuple of which it is wrong."""
    statement = replace(BY_ID[5], condition="k % 4 == 1")
    (said,) = Result(statement, decide(statement, drawn=1)).differences
    assert "the condition k % 4 == 1 is wrong of n=1, k=3" in said


def test_the_json_form_has_the_documented_keys() -> None:
    """What others read, with the target's version beside its verdict."""
    written = result(5, **{f"{TORCH}+eager": Verdict.CONDITIONAL}).to_json({f"{TORCH}+eager": "2.13.0"})
    due = {"id", "statement", "source", "domain", "verdict", "checked", "holds_on", "condition", "counterexample"}
    assert due | {"observed"} <= written.keys()
    assert (written["id"], written["verdict"], written["condition"]) == (5, "conditional", "k % 2 == 1")
    (one,) = written["observed"]
    assert (one["target"], one["version"], one["verdict"]) == (f"{TORCH}+eager", "2.13.0", "conditional")
    assert result(9).to_json({})["condition"] is result(9).to_json({})["counterexample"] is None


def test_a_tuple_in_one_line() -> None:
    """As it stands in the table."""
    assert told({"n": 1, "k": 2}) == "n=1, k=2"
