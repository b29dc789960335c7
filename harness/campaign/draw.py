"""The stream of cases of a seed, drawn through Hypothesis's public interface: generation only, no shrinking.

The stream is a function of the seed, of the APIs whose spellings are drawn and of the installed Hypothesis (which mixes
in a few numbers that it reads in the modules a program has loaded), and of nothing that happens to its cases. It is
drawn in batches of a fixed size, each with a seed of its own, and repeats no case.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from hypothesis import seed as seeded
from hypothesis.strategies import SearchStrategy

from harness.frameworks.base import Api
from harness.layer import Case
from strategies import cases

BATCH = 250


def stream(seed: int, apis: Sequence[Api] = ()) -> Iterator[Case]:
    """Cases without end and without repetition, the same for the same seed and APIs."""
    strategy = cases(apis=apis)
    seen: set[str] = set()
    batch = 0
    while True:
        for case in _draw(strategy, _batch_seed(seed, batch)):
            if (key := case.content_hash) not in seen:
                seen.add(key)
                yield case
        batch += 1


def _batch_seed(seed: int, batch: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}/{batch}".encode()).digest()[:8], "big")


def _draw(strategy: SearchStrategy[Case], seed: int) -> list[Case]:
    drawn: list[Case] = []

    # Every setting is said here: a profile of the host (Hypothesis loads a derandomising one in CI) must not decide.
    @seeded(seed)
    @settings(
        max_examples=BATCH,
        phases=[Phase.generate],
        backend="hypothesis",
        database=None,
        deadline=None,
        derandomize=False,
        print_blob=False,
        verbosity=Verbosity.quiet,
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def collect(case: Case) -> None:
        drawn.append(case)

    collect()
    return drawn
