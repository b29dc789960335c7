"""Naive ports that are run: each source's call and its copy, on integers, all of one framework in one interpreter."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.audit.naive import NaivePort
from harness.audit.naive_text import foretold, naive_text, source_text
from harness.audit.running import run
from harness.audit.text import first_mode
from harness.frameworks import registry
from harness.frameworks.base import Api
from harness.porting.foretold import Call, foretell
from harness.portings import Confirmation, Contradiction
from harness.records import Size

#: what a call says of itself when a framework's programs are about to be run: the framework, and how many they are
Tell = Callable[[str, int], None]


@dataclass(frozen=True, slots=True)
class Sample:
    """The calls of one pair that are to be run."""

    source: Api
    target: Api
    calls: tuple[Call, ...]


@dataclass(frozen=True, slots=True)
class _Programs:
    """A source's call and its copy as programs."""

    call: Call
    naive: NaivePort
    original: str
    copy: str


def sample(source: Api, target: Api, calls: Sequence[Call], first: Sequence[Call], count: int) -> Sample:
    """The first ones, then wrong ones of every reason, then as many others as there is room for."""
    by_reason: dict[str | None, list[Call]] = defaultdict(list)
    for call in calls:
        naive = foretell(source, call, target)
        by_reason[naive.faults[0][0].value if naive.faults else None].append(call)
    right = by_reason.pop(None, [])
    lots = [sorted(lot, key=lambda call: call.magnitude) for lot in (*by_reason.values(), right)]
    turns = (lot[turn] for turn in range(count) for lot in lots if turn < len(lot))
    chosen = dict.fromkeys(call for call in (*first, *turns) if foretell(source, call, target).spelling is not None)
    return Sample(source, target, tuple(chosen)[:count])


def confirm(samples: Sequence[Sample], tell: Tell = lambda _framework, _count: None) -> list[Confirmation]:
    """What running each pair's sample says, as far as both frameworks are installed."""
    written = [_programs(one) for one in samples]
    texts: dict[str, dict[str, None]] = defaultdict(dict)
    for one, programs in zip(samples, written, strict=True):
        for each in programs if missing(one.source, one.target) is None else ():
            texts[_framework(one.source)][each.original] = None
            texts[_framework(one.target)][each.copy] = None
    failed: dict[str, str | None] = {}
    for framework, programs_of in texts.items():
        tell(framework, len(programs_of))
        failed.update(zip(programs_of, run(list(programs_of)), strict=True))
    return [_confirmation(one, programs, failed) for one, programs in zip(samples, written, strict=True)]


def missing(*apis: Api) -> str | None:
    """Why one of these cannot be run here."""
    reasons = (registry.missing(type(api), first_mode(api)) for api in apis)
    return next((reason for reason in reasons if reason is not None), None)


def _framework(api: Api) -> str:
    return api.framework or api.name


def _programs(one: Sample) -> list[_Programs]:
    return [_written(one.source, call, one.target, foretell(one.source, call, one.target)) for call in one.calls]


def _written(source: Api, call: Call, target: Api, naive: NaivePort) -> _Programs:
    original = source_text("layer", source, call.spelling, call.input_size)
    copy = naive_text("copied", source, call.spelling, target, naive, call.input_size)
    return _Programs(call, naive, original.snippet(), foretold(copy, target, naive))


def _confirmation(one: Sample, programs: Sequence[_Programs], failed: dict[str, str | None]) -> Confirmation:
    if (reason := missing(one.source, one.target)) is not None:
        return Confirmation(missing=reason)
    sound = [each for each in programs if failed[each.original] is None]
    wrong = [each for each in sound if failed[each.copy] is not None]
    contradictions = tuple(_contradiction(one, each, str(failed[each.copy])) for each in wrong)
    return Confirmation(len(sound), len(sound) - len(wrong), len(programs) - len(sound), contradictions)


def _contradiction(one: Sample, each: _Programs, seen: str) -> Contradiction:
    assert each.naive.spelling is not None, "it was run"  # noqa: S101 # by sample
    call, size = each.call, each.call.input_size
    said = (one.source.snippet(call.spelling, size), one.target.snippet(each.naive.spelling, size))
    return Contradiction(*said, size, expectation(each.naive, size), seen)


def expectation(naive: NaivePort, input_size: Size) -> str:
    """What was foretold, in one line."""
    if naive.layer is None:
        return naive.reason or "right"
    size = naive.layer.output_size(input_size)
    return f"an output of size {size}: {naive.reason or 'the same values'}"
