"""Abstract observations per second: how fast ``deconvdiff fuzz`` has shapes inferred without running anything.

PyTorch's meta device, ``jax.eval_shape``, a TensorFlow graph's shape inference and Keras's ``compute_output_shape``,
each by itself and all at once. A run with many cases minus one with few of the same seed: the start falls out. What is
skipped is not counted.

``python benchmarks/abstract.py --rounds 3``
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from measuring import Slope, fuzz, heading, spread, table, tell

TARGETS = (
    "torch.nn.ConvTranspose+abstract",
    "jax.lax.conv_transpose+abstract",
    "jax.lax.conv_general_dilated+abstract",
    "tf.nn.conv_transpose+abstract",
    "keras.layers.ConvTranspose+abstract",
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="how many (3)")
    parser.add_argument("--cases", type=int, default=4050, help="of the long run (4050)")
    parser.add_argument("--start", type=int, default=50, help="of the short run (50)")
    parser.add_argument("--seed", type=int, default=1, help="of the first round; each has the next (1)")
    parser.add_argument("--target", action="append", choices=TARGETS, help="repeatable (all at once, without any)")
    parser.add_argument("--timeout", type=float, default=1800, help="seconds that one run may take (1800)")
    options = parser.parse_args(arguments)
    text = heading(arguments)
    targets = options.target or TARGETS
    slopes = [
        measure(targets, options.cases, options.start, options.seed + number, options.timeout)
        for number in range(options.rounds)
    ]
    sys.stdout.write(f"{text}\n\n{report(targets, slopes)}\n")


def measure(targets: Sequence[str], cases: int, start: int, seed: int, timeout: float) -> Slope:
    """One long and one short run of a seed."""
    tell(f"seed {seed}: {cases:,} cases, then {start:,}")
    arguments = [part for target in targets for part in ("--target", target)]
    long, short = (fuzz(arguments, cases=count, seed=seed, timeout=timeout) for count in (cases, start))
    return Slope(cases - start, long, short)


def report(targets: Sequence[str], slopes: Sequence[Slope]) -> str:
    """A line for each target and one for all of them."""
    rows = []
    for target in targets:
        counts = [_more(one, target) for one in slopes]
        rows.append(
            [
                target,
                spread(counts, 0),
                spread([count / one.seconds for count, one in zip(counts, slopes, strict=True)]),
            ]
        )
    sums = [sum(_more(one, target) for target in targets) for one in slopes]
    rates = [count / one.seconds for count, one in zip(sums, slopes, strict=True)]
    rows.append([f"all, {spread([one.rate for one in slopes])} cases/s", spread(sums, 0), spread(rates)])
    return table(["median (least to most)", "observations", "observations/s"], rows)


def _more(slope: Slope, target: str) -> int:
    return _observed(slope.long.result, target) - _observed(slope.short.result, target)


def _observed(result: Mapping[str, Any], target: str) -> int:
    """How often a target answered or refused.

    Raises:
        SystemExit: it was not asked.
    """
    for entry in result["targets"]:
        if entry["name"] == target:
            return sum(count for kind, count in entry["totals"].items() if kind in ("ok", "rejected"))
    raise SystemExit(f"{target} was not asked: 'deconvdiff targets' says what is installed")


if __name__ == "__main__":
    main()
