"""What one case costs the process that draws and judges, and a worker outside its framework, in CPU time.

Nothing is asked of a framework: every target is taken to answer as it should. It measures and judges nothing. Run it
from the top of the repository: ``python benchmarks/parent.py``; ``--help`` says what can be chosen.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from time import process_time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as ``deconvdiff fuzz`` does, before NumPy is loaded

import numpy as np

from harness.campaign.ask import Chosen, is_shared_out, question_for, requests
from harness.campaign.draw import stream
from harness.campaign.loop import Budget
from harness.campaign.run import new_run
from harness.campaign.select import select
from harness.cli.progress import Progress
from harness.judge.oracles import Question, Verdict, judge
from harness.layer import Case
from harness.records import (
    Asked,
    CaseJudged,
    Illegal,
    Kind,
    Observation,
    Outcome,
    Resolved,
    RunStarted,
)
from harness.store import Store
from harness.values import digest

TARGETS = ("torch", "jax.lax.conv_general_dilated", "tensorflow")


@dataclass
class Table:
    """The seconds of each stage, in the order in which they are measured."""

    cases: int
    stages: list[tuple[str, str, float]]

    @contextmanager
    def stage(self, who: str, name: str) -> Iterator[None]:
        """The CPU time of what is done inside."""
        start = process_time()
        yield
        self.stages.append((who, name, process_time() - start))

    def show(self) -> None:
        """One line for each stage, one for the sum of each side."""
        for side in dict.fromkeys(who for who, _, _ in self.stages):
            rows = [(name, seconds) for who, name, seconds in self.stages if who == side]
            whole = [("in all", sum(seconds for _, seconds in rows))] if len(rows) > 1 else []
            for name, seconds in (*rows, *whole):
                sys.stdout.write(f"{side:32}{name:36}{seconds / self.cases * 1e6:8.0f} µs a case\n")


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=1000, help="how many (1000)")
    parser.add_argument("--seed", type=int, default=1, help="of the stream (1)")
    parser.add_argument("--target", action="append", metavar="NAME", help=f"repeatable ({', '.join(TARGETS)})")
    options = parser.parse_args(arguments)
    measure(options.cases, options.seed, options.target or TARGETS).show()


def measure(count: int, seed: int, selectors: Sequence[str]) -> Table:
    """Every stage by itself, on the first cases of a seed; what is asked of a share of the cases only is left out."""
    table = Table(count, [])
    chosen = [one for many in select(selectors).values() for one in many if not one.mode.share]
    drawn = stream(seed, list(dict.fromkeys(one.api for one in chosen if one.api is not None)))
    next(drawn)  # what is made once, and the first batch whole
    with table.stage("parent", "draw"):
        cases = list(islice(drawn, count))
    cases = [Case.from_json(json.dumps(case.to_json())) for case in cases]  # nothing kept from the drawing
    with table.stage("parent", "write as JSON"):
        texts = [json.dumps(case.to_json()) for case in cases]
    asked = [[one for one in chosen if is_shared_out(one, case, 0.0)] for case in cases]
    with table.stage("parent", "put the question to each target"):
        questions = [question_for(case, targets)[0] for case, targets in zip(cases, asked, strict=True)]
    with table.stage("parent", "reference and digest"):
        for question in questions:
            _ = question.expected is not None and question.expected.digest
    with table.stage("parent", "write the requests"):
        for question, targets in zip(questions, asked, strict=True):
            requests(question, targets)
    _parent_afterwards(table, cases, questions)
    _worker(table, texts, chosen)
    return table


def _parent_afterwards(table: Table, cases: Sequence[Case], questions: Sequence[Question]) -> None:
    answers = [[as_it_should(question, one) for one in question.asked.values()] for question in questions]
    verdicts: list[Verdict] = []
    with table.stage("parent", "judge"):
        for question, answer in zip(questions, answers, strict=True):
            verdicts.append(judge(question, {seen.target: seen for seen in answer}))
    # An accepted size from which the forward convolution does not lead back stays an objection.
    if any(one.kind is not Kind.ACCEPTANCE for verdict in verdicts for one in verdict.disagreements):
        raise ValueError("an answer as it should be was objected to")
    events = [
        CaseJudged(ordinal, case, tuple(answer), verdict.agrees, ())
        for ordinal, (case, answer, verdict) in enumerate(zip(cases, answers, verdicts, strict=True), start=1)
    ]
    run = new_run(seed=0, profile="default", command=["benchmark"])
    with tempfile.TemporaryDirectory() as folder, redirect_stderr(io.StringIO()):
        store = Store(Path(folder) / "results.sqlite")
        store.keep(RunStarted(run))
        with table.stage("parent", "keep in the database"):
            _each(store.keep, events)
            store.close()
        progress = Progress(run, Budget(cases=len(events)))
        with table.stage("parent", "show the progress"):
            _each(progress.show, events)


def _worker(table: Table, texts: Sequence[str], chosen: Sequence[Chosen]) -> None:
    apis = {one.api.name: one.api for one in chosen if one.api is not None}
    with table.stage("worker", "read from JSON"):
        cases = [Case.from_json(json.loads(text)) for text in texts]
    layered = [case for case in cases if case.layer is not None]
    for name, api in apis.items():
        with table.stage(name, "express, in its worker"):
            for case in layered:
                assert case.layer is not None  # noqa: S101 # for the type checker: chosen by it
                api.express(case.layer, case.input_size)
    with table.stage("worker", "arrays"):
        arrays = [case.arrays() for case in layered]
    outputs = [np.ones(question_for(case, ())[0].expected.shape) for case in layered]  # type: ignore[union-attr]  # a layer has one
    with table.stage("worker", "digest of the output"):
        _each(digest, outputs)
    with table.stage("worker", "digest of the inputs"):
        for some in arrays:
            digest(np.concatenate([array.ravel() for array in some if array is not None]))


def as_it_should(question: Question, asked: Asked) -> Observation:
    """What a target does that is right about everything."""
    if isinstance(asked.answer, Illegal):
        return Observation(asked.target.name, Outcome.REJECTED, error="ValueError: not allowed", seconds=1e-3)
    expected = question.expected
    if expected is None or not isinstance(asked.answer, Resolved):
        return Observation(asked.target.name, Outcome.SKIPPED, reason="nobody knows")
    if asked.abstract:
        return Observation(asked.target.name, Outcome.OK, shape=expected.shape, dtype=None, seconds=1e-3)
    return Observation(
        asked.target.name,
        Outcome.OK,
        shape=expected.shape,
        dtype=expected.case.dtype,
        digest=expected.digest,
        input_digest="0" * 16,
        seconds=1e-3,
        values=None if expected.case.values == "integers" else expected.values,
    )


def _each(function: Callable[..., object], values: Iterable[object]) -> None:
    for value in values:
        function(value)


if __name__ == "__main__":
    main()
