"""What other people's tests import: ask a target, hold targets against each other, a whole test in one line.

>>> from harness.testing import differential
>>> test_mine = differential("mypkg.ops:MyDeconv", max_examples=10)  # in a test module: the whole test

The pytest plug-in hands its options over in environment variables (``DECONVDIFF_PROFILE``, ``DECONVDIFF_SEED``,
``DECONVDIFF_TARGETS``, ``DECONVDIFF_BASELINE``, ``DECONVDIFF_FOLDER``), so that a test runs without pytest, too.
Workers are started when a target is first asked, shared by all tests of a process, and ended with it.
"""

from __future__ import annotations

import atexit
import os
import sys
import unittest
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from hypothesis import seed as seeded
from hypothesis.database import DirectoryBasedExampleDatabase

from harness.campaign.ask import Chosen, is_shared_out
from harness.campaign.investigate import Investigation, Judged
from harness.campaign.ledger import Ledger
from harness.campaign.loop import seat, target_info
from harness.campaign.profiles import PROFILES, Profile
from harness.campaign.run import fresh_seed, new_run, now
from harness.campaign.select import select
from harness.errors import UsageError
from harness.judge.baseline import Baseline
from harness.layer import Case
from harness.records import (
    CaseJudged,
    Disagreement,
    Event,
    Finding,
    FindingChanged,
    Observation,
    Oracle,
    RunFinished,
    RunStarted,
    TargetInfo,
    TargetsGreeted,
)
from harness.store import Store
from harness.workers.lane import Request
from harness.workers.pool import Pool
from reports import html
from reports.details import case_line
from reports.files import replace_text
from reports.merge import merged
from reports.text import clean
from strategies import layer_cases

__all__ = ["Disagrees", "assert_agrees", "differential", "observe"]

#: of each case, how many are asked for gradients and of slow modes
EXTRA_SHARE = 0.1


class Disagrees(AssertionError):
    """Targets disagree with the reference, or with each other. Each finding has a subclass of its own."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the plug-in, or the environment, says about differential tests."""

    profile_name: str
    seed: int | None
    targets: tuple[str, ...]
    baseline: Path | None

    @classmethod
    def current(cls) -> Options:
        """The options of this process.

        Raises:
            UsageError: a profile that there is not, a seed that is no number.
        """
        name = os.environ.get("DECONVDIFF_PROFILE") or "default"
        if name not in PROFILES:
            raise UsageError(f"profile {name!r} is unknown: known are {', '.join(PROFILES)}")
        seed = os.environ.get("DECONVDIFF_SEED") or None
        if seed is not None and not seed.isdecimal():
            raise UsageError(f"seed {seed!r}: must be an integer of at least 0")
        baseline = os.environ.get("DECONVDIFF_BASELINE") or None
        return cls(
            name,
            None if seed is None else int(seed),
            tuple(os.environ.get("DECONVDIFF_TARGETS", "").split()),
            None if baseline is None else Path(baseline),
        )

    @property
    def profile(self) -> Profile:
        """How long a test is."""
        return PROFILES[self.profile_name]


def observe(case: Case, target: str, *, values: bool = False) -> Observation:
    """What one target does with a case; ``values`` brings the numbers, too.

    ``target`` is a selector; the first mode that it names is asked (``torch`` is ``torch.nn.ConvTranspose+eager``).

    Raises:
        UsageError: a selector that names nothing known.
        unittest.SkipTest: the framework is not installed; the message says what to install.

    ``observe(Case(Layer(kernel_size=3, stride=2, ndim=1), input_size=3), "torch").size == (7,)``
    """
    bench = _bench()
    (chosen, *_) = bench.able((target,))
    return bench.observe(case, chosen, values=values)


def assert_agrees(case: Case, *targets: str) -> None:
    """Hold every mode of the targets against the reference, and so against each other, on one case.

    A case of a layer is judged by the agreement oracle, one of an API's own arguments by what its documentation says.

    Raises:
        Disagrees: the message has the minimal case, both sizes, the first difference, the cause, and a command.
        unittest.SkipTest: a framework is not installed; the message says what to install.

    ``assert_agrees(Case(Layer(kernel_size=3, stride=2, ndim=1), input_size=3), "torch", "jax")``
    """
    __tracebackhide__ = True
    bench = _bench()
    bench.check(case, bench.able(targets or Options.current().targets), share=1.0)


def differential(*targets: str, max_examples: int | None = None) -> Callable[[], None]:
    """A whole differential test: a marked ``@given`` test that asks the targets for layers drawn by ``strategies``.

    Without targets, those of ``--deconvdiff-target``, else the usual frameworks. Disagreements that the baseline knows
    are passed over; every other finding is reduced and raised once, with a class of its own. Settings are the
    profile's, whatever Hypothesis profile is loaded.

    Raises:
        UsageError: a selector that names nothing known.

    ``test_deconv = differential("torch", "jax")``
    """
    options = Options.current()
    asked = tuple(dict.fromkeys((*targets, *options.targets)))
    select(asked)
    examples = max_examples or options.profile.examples
    asked_cases: set[str] = set()
    shown: dict[str, str] = {}
    fixed = options.profile.seed if options.seed is None else options.seed
    database = DirectoryBasedExampleDatabase(".deconvdiff/examples") if fixed != options.profile.seed else None

    @seeded(fresh_seed() if fixed is None else fixed)
    @settings(
        max_examples=examples,
        phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
        backend="hypothesis",
        database=database,
        deadline=None,
        derandomize=False,
        print_blob=False,
        report_multiple_bugs=True,
        stateful_step_count=1,
        verbosity=Verbosity.normal,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=layer_cases())
    def test(case: Case) -> None:
        __tracebackhide__ = True
        bench = _bench()
        # What Hypothesis tries behind its examples, to reduce what is minimal already, is not asked.
        if len(asked_cases) < examples or case.content_hash in asked_cases:
            asked_cases.add(case.content_hash)
            bench.check(case, bench.able(asked), share=EXTRA_SHARE, shown=shown)

    test.__doc__ = f"{', '.join(asked) or 'The usual frameworks'} agree with the reference on drawn layers."
    return _marked(test)


def end_session() -> None:
    """End the run of this process's tests, where a report of it is wanted."""
    if _bench.cache_info().currsize:
        _bench().finish()


def write_report(databases: Sequence[Path], file: Path) -> None:
    """The HTML report of what the processes of a test session observed."""
    observed = []
    for path in databases:
        store = Store(path, create=False)
        observed.append(store.report())
        store.close()
    replace_text(file, html.render(merged(observed)))


def _marked(test: Callable[[], None]) -> Callable[[], None]:
    """With the marker ``differential`` where there is pytest."""
    try:
        import pytest  # noqa: PLC0415 # a test may be run without it
    except ImportError:
        return test
    marked: Callable[[], None] = pytest.mark.differential(test)
    return marked


@cache
def _bench() -> _Bench:
    bench = _Bench(Options.current())
    atexit.register(bench.close)
    return bench


class _Bench:
    """The workers of a process, what they were asked, and what was found."""

    def __init__(self, options: Options) -> None:
        self._versions: dict[str, str | None] = {}
        self._infos: dict[str, TargetInfo] = {}
        self._pool = Pool([])
        baseline = Baseline.shipped() if options.baseline is None else Baseline.read(options.baseline)
        self._investigation = Investigation(self._pool, baseline, self._versions)
        self._ledger = Ledger(self._versions, datetime.now(timezone.utc).date())
        self._ordinal = 0
        folder = os.environ.get("DECONVDIFF_FOLDER")
        self._store = None if folder is None else Store(Path(folder) / f"{os.getpid()}.sqlite")
        seed = options.profile.seed if options.seed is None else options.seed
        self._run = new_run(seed=seed or 0, profile=options.profile_name, command=sys.argv)
        self._keep(RunStarted(self._run))

    def able(self, selectors: Sequence[str]) -> list[Chosen]:
        """The targets of selectors, started.

        Raises:
            unittest.SkipTest: one of them, or of the usual frameworks all, cannot be asked.
        """
        able: list[Chosen] = []
        for selector, many in select(selectors).items():
            self._greet([one for one in many if one.target.name not in self._infos])
            ready = [one for one in many if self._infos[one.target.name].available]
            if not ready:
                reasons = [self._infos[one.target.name].reason for one in many]
                raise unittest.SkipTest(f"{selector or 'no framework'}: {reasons[0]}")
            able += ready
        return list({one.target.name: one for one in able}.values())

    def observe(self, case: Case, chosen: Chosen, *, values: bool) -> Observation:
        """One observation."""
        return self._pool.observe(case, [Request(chosen.target.name, values=values)])[chosen.target.name]

    def check(
        self, case: Case, targets: Sequence[Chosen], *, share: float, shown: dict[str, str] | None = None
    ) -> None:
        """Ask, judge, and raise the first finding that is not known.

        With ``shown`` (finding to case) each is raised for the first case alone that shows it, so that a test goes on
        past it to the next.

        Raises:
            Disagrees: (a subclass for each finding) what was found.
        """
        __tracebackhide__ = True
        self._ordinal += 1
        judged = self._investigation.ask(case, [one for one in targets if is_shared_out(one, case, share)])
        objections = [one for one in judged.verdict.disagreements if _is_asked(case, one)]
        found = tuple(self._investigation.attribute(case, one, targets) for one in objections)
        observations = tuple(judged.observations.values())
        self._keep(CaseJudged(self._ordinal, case, observations, judged.verdict.agrees, found))
        for finding in [self._finding(judged, one, targets) for one in found]:
            first = case.content_hash if shown is None else shown.setdefault(finding.id, case.content_hash)
            if finding.status != "known" and first == case.content_hash:
                raise _class_of(finding.id)(_message(finding))

    def _finding(self, judged: Judged, disagreement: Disagreement, targets: Sequence[Chosen]) -> Finding:
        """The finding of a disagreement, reduced when it is new."""
        disagreement, known = self._investigation.made_sure(judged, disagreement, self._ledger.has)
        is_new = not self._ledger.has(known)
        agreeing = judged.agreeing(disagreement)
        finding = self._ledger.record(self._ordinal, judged.case, disagreement, known, agreeing)
        if is_new:
            self._investigation.opened(known)
            minimal, again = self._investigation.reduce(judged.case, disagreement, known, targets)
            finding = self._ledger.reduced(known, minimal, again)
        self._keep(FindingChanged(finding))
        return finding

    def finish(self) -> None:
        """End the run in the database."""
        self._run = replace(self._run, finished=now())
        self._keep(RunFinished(self._run))

    def close(self) -> None:
        """End the workers."""
        self._pool.close()
        if self._store is not None:
            self._store.close()

    def _greet(self, targets: Sequence[Chosen]) -> None:
        able = [one for one in targets if one.missing is None]
        self._pool.add([seat(one) for one in able])
        hello = self._pool.hello([one.target.name for one in able])
        infos = {one.target.name: target_info(one, hello.get(one.target.name)) for one in targets}
        self._infos.update(infos)
        self._versions.update({name: info.version for name, info in infos.items()})
        shown = [infos[one.target.name] for one in targets if infos[one.target.name].available or not one.implied]
        if shown:
            self._keep(TargetsGreeted(tuple(shown)))

    def _keep(self, event: Event) -> None:
        if self._store is not None:
            self._store.keep(event)


def _is_asked(case: Case, disagreement: Disagreement) -> bool:
    """Layers are asked for agreement alone."""
    return case.layer is None or disagreement.oracle is Oracle.AGREEMENT


@cache
def _class_of(finding_id: str) -> type[Disagrees]:
    """A class of the finding's own, by which Hypothesis and people tell findings apart."""
    return type(f"Disagrees_{finding_id.replace('-', '_')}", (Disagrees,), {})


def _message(finding: Finding) -> str:
    first = finding.first_difference
    lines: list[tuple[str, Any]] = [
        ("minimal case", case_line(finding.minimal or finding.case)),
        ("sizes", _sizes(finding)),
        (
            "first difference",
            first and f"{first.array}{list(first.index)}: {first.observed:.9g}, not {first.expected:.9g}",
        ),
        ("cause", finding.cause),
        ("agreeing", ", ".join(finding.agreeing)),
        ("rule", finding.rule and f"{finding.rule.text} ({finding.rule.url})"),
        ("log", (finding.log_tail or "").strip()[-500:]),
        ("reproduce", finding.reproduce),
    ]
    told = "".join(f"\n  {name}: {clean(str(text))}" for name, text in lines if text)
    return clean(f"{finding.sentence}") + told


def _sizes(finding: Finding) -> str | None:
    if finding.expected_size is None and finding.observed_size is None:
        return None
    return f"expected {finding.expected_size}, observed {finding.observed_size}"
