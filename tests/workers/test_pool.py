"""Isolation: whatever a target does costs exactly its own case, and is recorded as what it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
from targets import scatter

from harness import Case, Layer
from harness.records import Observation, Outcome
from harness.values import digest
from harness.workers.lane import Patience, Request
from harness.workers.pool import MEMORY_LIMIT, Pool, Seat
from harness.workers.process import Place
from harness.workers.protocol import Address

ONE = Case(Layer(2, 3, 3, 2, 1, 1, ndim=1), batch=2, input_size=(4,))
TWO = Case(Layer(2, 2, (3, 2), (2, 1), ndim=2), input_size=(3, 4))


@contextmanager
def pool_of(*names: str, patience: Patience | None = None, memory_limit: int = MEMORY_LIMIT) -> Iterator[Pool]:
    """A pool with one process for each of the classes of ``tests/faults/targets.py``."""
    seats = [Seat(Address(name, f"targets:{name}", "default"), name, Place({})) for name in names]
    with Pool(seats, patience=patience, memory_limit=memory_limit) as pool:
        yield pool


def ask(pool: Pool, case: Case, *names: str, values: bool = False) -> dict[str, Observation]:
    """What the named targets do with a case."""
    return pool.observe(case, [Request(name, values) for name in names])


def outcomes(pool: Pool, cases: Sequence[Case], name: str) -> list[Outcome]:
    """The outcomes of one target on several cases."""
    return [ask(pool, case, name)[name].outcome for case in cases]


pytestmark = pytest.mark.usefixtures("faults")


def test_a_right_target_answers_with_shape_dtype_and_digests() -> None:
    """The worker makes the arrays from the recipe, so its digest is that of our own arrays' answer."""
    with pool_of("Correct") as pool:
        seen = ask(pool, ONE, "Correct")["Correct"]
    x, weight, bias = ONE.arrays()
    assert ONE.layer is not None
    assert (seen.outcome, seen.shape, seen.dtype) == (Outcome.OK, (2, 3, 8), "float32")
    assert seen.digest == digest(scatter(x, weight, bias, ONE.layer))
    assert seen.input_digest is not None
    assert seen.values is None


def test_values_come_back_when_they_are_asked_for() -> None:
    """The numbers are those that the digest was taken of."""
    with pool_of("Correct") as pool:
        seen = ask(pool, TWO, "Correct", values=True)["Correct"]
    assert seen.values is not None
    assert (seen.values.shape, digest(seen.values)) == (seen.shape, seen.digest)


def test_an_abort_costs_one_case_and_leaves_the_signal_and_the_last_words() -> None:
    """The process is started again for the next case, and a neighbour in another process notices nothing."""
    with pool_of("Aborts", "Correct") as pool:
        assert ask(pool, ONE, "Aborts")["Aborts"].outcome is Outcome.OK
        both = ask(pool, TWO, "Aborts", "Correct")
        again = ask(pool, ONE, "Aborts")["Aborts"]
    dead = both["Aborts"]
    assert (dead.outcome, dead.exit) == (Outcome.CRASHED, "SIGABRT")
    assert "Check failed: ndim != 2" in (dead.log_tail or "")
    assert both["Correct"].outcome is Outcome.OK
    assert again.outcome is Outcome.OK


def test_leaving_the_interpreter_is_a_crash_with_its_status() -> None:
    """``sys.exit(7)`` in a target is not our exit."""
    with pool_of("Exits") as pool:
        seen = ask(pool, ONE, "Exits")["Exits"]
    assert (seen.outcome, seen.exit) == (Outcome.CRASHED, "exit status 7")


def test_a_hang_is_ended_and_the_target_goes_on() -> None:
    """No answer within the patience is a time-out; the process is replaced."""
    with pool_of("Hangs", patience=Patience(first=0.5, again=1.0)) as pool:
        assert outcomes(pool, [ONE, TWO], "Hangs") == [Outcome.TIMED_OUT, Outcome.TIMED_OUT]


def test_noise_on_the_streams_corrupts_nothing() -> None:
    """Megabytes of text and bytes on stdout and stderr, and the answer is right."""
    with pool_of("Chatty", "Correct") as pool:
        for case in (ONE, TWO, ONE):
            seen = ask(pool, case, "Chatty", "Correct")
            assert seen["Chatty"].digest == seen["Correct"].digest is not None


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Raises", "ValueError: <b>stride</b>"),
        ("WritesInput", "ValueError: assignment destination is read-only"),
        ("Garbage", "TypeError: returned dict, not an array"),
        ("Ragged", "ValueError: setting an array element with a sequence."),
        ("LimitRaises", "KeyError: 'limit'"),
        ("Unprintable", "Mute: (its message cannot be printed)"),
        ("Surrogate", "ValueError: \\udcff"),
    ],
)
def test_what_a_target_raises_or_returns_wrongly_is_a_rejection(name: str, message: str) -> None:
    """The message is kept on one line."""
    with pool_of(name) as pool:
        seen = ask(pool, ONE, name)[name]
    assert seen.outcome is Outcome.REJECTED
    assert seen.error is not None
    assert seen.error.startswith(message)
    assert "\n" not in seen.error


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("targets:BreaksOnLoad", "libmine.so.3"),
        ("targets:NOT_AN_API", "is not a class that derives from harness.frameworks.Api"),
        ("targets:Absent", "AttributeError"),
        ("no_such_module:Thing", "ModuleNotFoundError"),
    ],
)
def test_a_target_that_does_not_load_says_why(location: str, reason: str) -> None:
    """The greeting has the reason; nothing is raised."""
    with Pool([Seat(Address("t", location, "default"), "t", Place({}))]) as pool:
        hello = pool.hello()["t"]
    assert hello.error is not None
    assert reason in hello.error


def test_a_version_is_a_text_and_a_mode_is_a_known_one() -> None:
    """A version of any type is printed; a mode that the class does not have is refused with those it has."""
    with Pool([Seat(Address("t", "targets:OddVersion", "default"), "t", Place({}))]) as pool:
        assert pool.hello()["t"].version == "(1, 2)"
    with Pool([Seat(Address("t", "targets:Correct", "weird"), "t", Place({}))]) as pool:
        assert "has no mode 'weird': known are default" in (pool.hello()["t"].error or "")


def test_declared_limits_are_skips_with_their_reason() -> None:
    """The base class declines dtypes other than float32, empty sizes, and what PyTorch forbids."""
    layer = Layer(kernel_size=2, ndim=1)
    cases = {
        "dtype float64": Case(layer, input_size=3, dtype="float64"),
        "empty sizes": Case(layer, batch=0, input_size=3),
        "special values": Case(layer, input_size=3, values="special"),
        "padding=(-1,)": Case(layer.replace(padding=-1), input_size=3),
        "output_padding=(1,)": Case(layer.replace(output_padding=1), input_size=3),
        "output_padding=(-1,)": Case(layer.replace(output_padding=-1), input_size=3),
    }
    with pool_of("Correct") as pool:
        for reason, case in cases.items():
            seen = ask(pool, case, "Correct")["Correct"]
            assert seen.outcome is Outcome.SKIPPED
            assert reason in (seen.reason or "")
