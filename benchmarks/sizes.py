"""How long the size arithmetic takes for a million random layers at once; it measures and judges nothing.

Run it from the top of the repository: ``python benchmarks/sizes.py``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from time import perf_counter

import numpy as np

from harness import sizes

COUNT = 1_000_000
ROUNDS = 5


def best(call: Callable[[], object]) -> float:
    """The shortest of a few rounds, in seconds."""
    times = []
    for _ in range(ROUNDS):
        start = perf_counter()
        call()
        times.append(perf_counter() - start)
    return min(times)


def main() -> None:
    """Print one line for each function."""
    random = np.random.default_rng(0)
    n, k, s, d, p, a = (random.integers(1, most, COUNT) for most in (513, 12, 9, 5, 6, 5))
    calls: dict[str, Callable[[], object]] = {
        "full_size": lambda: sizes.full_size(n, kernel_size=k, stride=s, dilation=d),
        "output_size": lambda: sizes.output_size(n, kernel_size=k, stride=s, padding=p, output_padding=a, dilation=d),
        "forward_size": lambda: sizes.forward_size(n, kernel_size=k, stride=s, total_padding=2 * p, dilation=d),
    }
    for name, call in calls.items():
        sys.stdout.write(f"{name:12} {COUNT:,} layers in {best(call) * 1000:6.1f} ms (best of {ROUNDS})\n")


if __name__ == "__main__":
    main()
