"""The stream of cases of a seed: an endless generator, which may be drawn ahead of what is done with its cases.

The stream is a function of the seed and of the APIs whose spellings are drawn, and of nothing that happens to its
cases, that the host has set or that else is installed: every shard of a run draws the same one. It repeats no case.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.frameworks.base import Api
from harness.layer import Case
from strategies import cases
from strategies.sampling import Sampler


def stream(seed: int, apis: Sequence[Api] = ()) -> Iterator[Case]:
    """Cases without end and without repetition, the same for the same seed and APIs.

    >>> from itertools import islice
    >>> list(islice(stream(7), 3)) == list(islice(stream(7), 3))
    True
    """
    draw, strategy = Sampler(seed), cases(apis=apis)
    seen: set[bytes] = set()
    while True:
        case = draw(strategy)
        if (key := bytes.fromhex(case.content_hash)) not in seen:
            seen.add(key)
            yield case
