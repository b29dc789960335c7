"""What copying the words of a layer comes to: foretold from both vocabularies, and seen by running the copied call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from harness.audit.naive import NaivePort, naive_port
from harness.audit.naive_text import foretold, naive_text
from harness.audit.running import run
from harness.audit.trials import beyond
from harness.audit.wanted import Wanted
from harness.frameworks.base import Api
from harness.ported import Naive


@dataclass(frozen=True, slots=True)
class Copied:
    """A naive port and, where it can be run, the program that asserts what was foretold of it."""

    naive: Naive
    program: str | None


def copied(wanted: Wanted, api: Api) -> Copied:
    """The naive port of a wanted layer; nothing is run yet."""
    source, spelling, size = wanted.source, wanted.found.spelling, wanted.input_size
    port = naive_port(source, spelling, api, size)
    if port.spelling is None:
        return Copied(_naive(port, None), None)
    naive = _naive(port, api.snippet(port.spelling, size))
    if beyond(wanted.layer, size) is not None:
        return Copied(naive, None)
    return Copied(naive, foretold(naive_text("copied", source, spelling, api, port, size), api, port))


def _naive(port: NaivePort, call: str | None) -> Naive:
    return Naive(port.size_equal, port.value_equal, port.reason, call)


def observed(ports: Sequence[Copied], environment: Mapping[str, str]) -> list[Naive]:
    """What came of running the copied calls of one framework, where they can be run."""
    ended = iter(run([one.program for one in ports if one.program is not None], environment))
    return [one.naive if one.program is None else _seen(one.naive, next(ended)) for one in ports]


def _seen(naive: Naive, error: str | None) -> Naive:
    """Confirmed, or otherwise than was foretold: then neither size nor values can be relied upon."""
    if error is None:
        return replace(naive, confirmed=True)
    reason = f"otherwise than documented, when it is run: {error}"
    return replace(naive, size_equal=False, value_equal=False, reason=reason, confirmed=False)
