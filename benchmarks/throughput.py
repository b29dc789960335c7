"""Cases per second of ``deconvdiff fuzz`` beside the test that a user writes by hand (by_hand.py), in paired runs.

Each side runs as a whole process with many cases and with few of the same seed; the difference is free of the start,
the imports and the warm-up. The sides alternate, and each ratio is of one round, so that a machine that slows down
slows both. ``deconvdiff`` also infers shapes, asks calls that a documentation forbids, keeps everything in a database,
reduces what it finds and writes a report; ``by hand`` compares values. By default ``deconvdiff`` asks only a share,
here none, of the calls over which XLA takes long; in the side "every call" it asks all, and no shape inference.

``python benchmarks/throughput.py --rounds 3``
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from measuring import Ended, Finished, Slope, fuzz, heading, script, spread, table, tell

SHARED = ("--target", "torch", "--target", "jax.lax.conv_general_dilated", "--target", "tensorflow")
NAMED = ("torch.nn.ConvTranspose+eager", "jax.lax.conv_general_dilated+jit", "tf.nn.conv_transpose+eager")
EVERY_CALL = tuple(part for name in NAMED for part in ("--target", name))


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two that are compared: how many cases the long run has, and how it is run."""

    name: str
    run: Callable[[int], Finished]
    answers: Callable[[Mapping[str, Any]], int]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables."""
    options = _parser().parse_args(arguments)
    text = heading(arguments)
    names = [name for name in sides(1, 1.0) if name in options.side or not options.side]
    rounds: list[dict[str, Slope]] = []
    seeds = iter(range(options.seed, options.seed + 3 * options.rounds))
    while len(rounds) < options.rounds:
        chosen = sides(next(seeds), options.timeout)
        try:
            rounds.append({name: slope(chosen[name], options.cases, options.start) for name in names})
        except Ended as ended:  # XLA ends the process of a test by hand now and then, as any other of ours
            tell(f"  {ended}: another seed")
    sys.stdout.write("\n\n".join([text, *report(rounds)]) + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="of every side once (3)")
    parser.add_argument("--cases", type=int, default=1050, help="of the long run (1050)")
    parser.add_argument("--start", type=int, default=50, help="of the short run (50)")
    parser.add_argument("--seed", type=int, default=1, help="of the first round; each has the next (1)")
    parser.add_argument("--side", action="append", default=[], choices=list(sides(1, 1.0)), help="repeatable (all)")
    parser.add_argument("--timeout", type=float, default=1800, help="seconds that one run may take (1800)")
    return parser


def sides(seed: int, timeout: float) -> dict[str, Side]:
    """All that can be compared, deconvdiff in its usual way first."""
    extra = ("--extra-share", "0")
    made = [
        Side("deconvdiff", partial(_fuzz, (*SHARED, *extra), seed, timeout), _told),
        Side("deconvdiff, every call", partial(_fuzz, (*EVERY_CALL, *extra), seed, timeout), _told),
        Side("by hand, channels last", partial(_by_hand, ("--channels", "last"), seed, timeout), _calls),
        Side("by hand, long inputs", partial(_by_hand, ("--inputs", "long"), seed, timeout), _calls),
        Side("by hand, channels first", partial(_by_hand, ("--channels", "first"), seed, timeout), _calls),
    ]
    return {side.name: side for side in made}


def slope(side: Side, cases: int, start: int) -> Slope:
    """Run it with many cases and with few."""
    tell(f"{side.name}: {cases:,} cases, then {start:,}")
    found = Slope(cases - start, side.run(cases), side.run(start))
    tell(f"  {found.long.seconds:.1f} s and {found.short.seconds:.1f} s: {found.rate:.1f} cases/s")
    return found


def report(rounds: Sequence[Mapping[str, Slope]]) -> list[str]:
    """Rates of each side, ratios of each pair of sides, the busiest worker."""
    names = list(rounds[0])
    ours = [name for name in names if name.startswith("deconvdiff")]
    theirs = [name for name in names if name not in ours]
    parts = [_rates(names, rounds)]
    if ours and theirs:
        parts.append(_ratios(ours, theirs, rounds))
    if ours:
        parts.append(_busiest(ours, rounds))
    return parts


def _rates(names: Sequence[str], rounds: Sequence[Mapping[str, Slope]]) -> str:
    rows = []
    for name in names:
        slopes = [one[name] for one in rounds]
        answers = [_more(one, sides(1, 1.0)[name].answers) for one in slopes]
        per_second = [count / one.seconds for one, count in zip(slopes, answers, strict=True)]
        per_case = [count / one.cases for one, count in zip(slopes, answers, strict=True)]
        rates = [one.rate for one in slopes]
        start = [one.short.seconds for one in slopes]
        rows.append([name, spread(rates), spread(per_second), spread(per_case, 2), spread(start)])
    return table(["median (least to most)", "cases/s", "answers/s", "answers a case", "short run, s"], rows)


def _ratios(ours: Sequence[str], theirs: Sequence[str], rounds: Sequence[Mapping[str, Slope]]) -> str:
    rows = []
    for our in ours:
        for their in theirs:
            ratios = [one[our].rate / one[their].rate for one in rounds]
            rows.append([f"{our} / {their}", spread(ratios, 2), ", ".join(f"{ratio:.2f}" for ratio in ratios)])
    return table(["cases/s", "ratio", "of each round"], rows)


def _busiest(ours: Sequence[str], rounds: Sequence[Mapping[str, Slope]]) -> str:
    rows = []
    for name in ours:
        for number, one in enumerate(rounds, start=1):
            uses = [Use.of(worker, one[name]) for worker in one[name].long.result["run"]["workers"]]
            busiest = [_use_row(max(uses))] if uses else [["none", "", ""]]
            rows += [[f"{name}, round {number}", *row, ", ".join(untold(one[name])) or "none"] for row in busiest]
    columns = ["", "busiest worker", "inside its framework, start subtracted", "of the whole long run", "not told"]
    return table(columns, rows)


class Use(NamedTuple):
    """The share of its time that a worker was inside its framework: beyond the short run, and in the whole long one."""

    share: float
    whole: float
    process: str

    @classmethod
    def of(cls, worker: Mapping[str, Any], slope: Slope) -> Use:
        """Of one entry of ``run.workers``."""
        shorter = {one["process"]: one for one in slope.short.result["run"]["workers"]}
        before = shorter.get(worker["process"], {"inside": 0.0, "wall": 0.0})
        share = (worker["inside"] - before["inside"]) / (worker["wall"] - before["wall"])
        return cls(share, worker["inside"] / worker["wall"], worker["process"].removeprefix("harness.frameworks."))


def _use_row(use: Use) -> list[str]:
    return [use.process, f"{100 * use.share:.0f} %", f"{100 * use.whole:.0f} %"]


def untold(slope: Slope) -> list[str]:
    """Frameworks that were asked and of which ``run.workers`` has nothing: their worker was not running at the end."""
    result = slope.long.result
    told = {one["process"].split()[0].rpartition(".")[2] for one in result["run"]["workers"]}
    asked = {one["framework"] for one in result["targets"] if one["totals"].get("ok")}
    return sorted(asked - told)


def _more(slope: Slope, count: Callable[[Mapping[str, Any]], int]) -> int:
    return count(slope.long.result) - count(slope.short.result)


def _fuzz(arguments: Sequence[str], seed: int, timeout: float, cases: int) -> Finished:
    return fuzz(arguments, cases=cases, seed=seed, timeout=timeout)


def _by_hand(arguments: Sequence[str], seed: int, timeout: float, cases: int) -> Finished:
    return script("by_hand.py", [*arguments, "--cases", str(cases), "--seed", str(seed)], timeout=timeout)


def _told(result: Mapping[str, Any]) -> int:
    """Observations of targets that were asked."""
    return int(result["totals"]["observations"] - result["totals"]["skipped"])


def _calls(result: Mapping[str, Any]) -> int:
    return int(sum(result["calls"].values()))


if __name__ == "__main__":
    main()
