"""The stream of cases: a function of the seed and of the APIs, without repetition, whatever the host has set."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from unittest import SkipTest

import pytest
from hypothesis import Phase, Verbosity, settings

from harness import Case
from harness.campaign.draw import stream
from harness.frameworks import registry
from harness.frameworks.base import Api

APIS = tuple(api() for api in registry.apis() if api.framework in registry.DEFAULT)
SEED = 20
COUNT = 85


def drawn(count: int, seed: int = SEED, apis: tuple[Api, ...] = ()) -> list[Case]:
    """The first so many cases of a seed."""
    return list(islice(stream(seed, apis), count))


@pytest.fixture(scope="module")
def some() -> list[Case]:
    """The beginning of one stream."""
    return drawn(COUNT)


@pytest.fixture
def host_profile() -> Iterator[None]:
    """A profile that would change everything it may: what a host repository, or Hypothesis itself in CI, loads."""
    before = settings.get_current_profile_name()
    settings.register_profile(
        "host of the test of the stream",
        derandomize=True,
        max_examples=3,
        phases=[Phase.explicit],
        deadline=1,
        print_blob=True,
        verbosity=Verbosity.verbose,
        stateful_step_count=1,
        report_multiple_bugs=False,
        suppress_health_check=(),
    )
    settings.load_profile("host of the test of the stream")
    yield
    settings.load_profile(before)


def test_the_same_seed_draws_the_same_cases(some: list[Case]) -> None:
    """However often it is drawn within one process."""
    assert drawn(len(some)) == some


def test_nothing_is_repeated(some: list[Case]) -> None:
    """Every case is asked once."""
    assert len({case.content_hash for case in some}) == len(some)


def test_another_seed_draws_other_cases(some: list[Case]) -> None:
    """A night's run is not the last night's: not one case is shared."""
    assert not {case.content_hash for case in drawn(COUNT, SEED + 1)} & {case.content_hash for case in some}


def test_a_short_run_is_the_beginning_of_a_long_one(some: list[Case]) -> None:
    """How many cases are asked for does not change which."""
    assert drawn(7) == some[:7]


@pytest.mark.usefixtures("host_profile")
def test_a_profile_of_the_host_changes_nothing(some: list[Case]) -> None:
    """The fixture's cases were drawn without it."""
    assert settings().derandomize
    try:
        found = drawn(COUNT)
    except SkipTest as skip:  # what Hypothesis raises where a profile leaves it nothing to do
        pytest.fail(str(skip))
    assert found == some


def test_two_streams_do_not_disturb_each_other(some: list[Case]) -> None:
    """Drawn in turns, each is what it is by itself."""
    one, two = stream(SEED), stream(SEED + 1)
    turns = [(next(one), next(two)) for _ in range(20)]
    assert [case for case, _ in turns] == some[:20]


def test_two_processes_draw_the_same_cases() -> None:
    """Neither the order of sets nor anything else of one interpreter takes part."""
    code = (
        "from itertools import islice\nfrom harness.campaign import draw\n"
        f"print(*[case.content_hash for case in islice(draw.stream({SEED}), {COUNT})])"
    )
    others = [
        subprocess.Popen(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            stdout=subprocess.PIPE,
            text=True,
        )
        for hash_seed in ("1", "2")
    ]
    hashes = [other.communicate()[0].split() for other in others]
    assert len(hashes[0]) == COUNT
    assert hashes[0] == hashes[1]


def test_without_apis_every_case_asks_a_layer(some: list[Case]) -> None:
    """There are no words to ask in."""
    assert all(case.spelling is None for case in some)


def test_with_apis_some_cases_are_spelled_in_their_words() -> None:
    """In those of several, and of no API that was not given; the stream of these APIs is one of its own."""
    cases = drawn(100, apis=APIS)
    spelled = {case.spelling.api for case in cases if case.spelling is not None}
    assert spelled <= {api.name for api in APIS}
    assert len(spelled) >= 3
    assert any(case.layer is not None for case in cases)
    assert drawn(20, apis=APIS) == cases[:20]


def test_the_stream_is_that_of_its_seed_on_every_machine() -> None:
    """Shards on different machines draw one stream: its first cases are written down here.

    A change of the strategies' weights changes them, and then the new ones belong here.
    """
    digest = hashlib.sha256("".join(case.content_hash for case in drawn(50, apis=APIS)).encode()).hexdigest()
    assert digest == "ecce2436ed13fda599308ae7cab0d554bac22ab46b878557c98d2dfc420fd4f8"


def test_modules_that_a_host_has_loaded_change_nothing(some: list[Case], tmp_path: Path) -> None:
    """Hypothesis mixes in the numbers that it reads in local modules; the stream does not."""
    (tmp_path / "host_of_the_stream.py").write_text("NUMBERS = (1234567, 7654321)\n")
    code = (
        f"import sys\nsys.path.insert(0, {str(tmp_path)!r})\nimport host_of_the_stream\n"
        "from itertools import islice\nfrom harness.campaign import draw\n"
        f"print(*[case.content_hash for case in islice(draw.stream({SEED}), {COUNT})])"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.split() == [case.content_hash for case in some]
