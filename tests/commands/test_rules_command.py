"""``rules`` as a person runs it: everything on the installed frameworks, some rules on targets of the tests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from command import PROGRAM, Finished, deconvdiff, one_after_the_other

from harness.frameworks import registry
from harness.rules.statements import STATEMENTS

COMMANDS: dict[str, tuple[str, ...]] = {
    "no run": ("rules", "--no-run", "--id", "5", "--id", "2", "--json", "r.json"),
    "no run, JSON": ("rules", "--no-run", "--id", "5", "--json", "-"),
    "right": ("rules", "--id", "4", "--id", "9", "--target", "targets:Correct", "--json", "-"),
    "flipped": ("rules", "--id", "4", "--id", "9", "--target", "targets:FlippedKernel"),
    "broken": ("rules", "--id", "9", "--target", "targets:BreaksOnLoad", "--target", "targets:Correct"),
    "not concerned": ("rules", "--id", "5", "--target", "targets:Correct"),
}

#: another verdict is recorded, a condition is too wide
MISTAKEN = f"""
from dataclasses import replace
from harness.rules import statements

def mistaken(one):
    return replace(one, condition="k >= 2") if one.id == 5 else replace(one, recorded=statements.Verdict.HOLDS)

statements.STATEMENTS = tuple(map(mistaken, statements.STATEMENTS))
{PROGRAM}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("rules")


@pytest.fixture(scope="module")
def done(folder: Path) -> Mapping[str, Finished]:
    return one_after_the_other(folder, COMMANDS)


def test_a_rule_is_shown_with_its_condition_and_its_counterexample(done: Mapping[str, Finished], folder: Path) -> None:
    """The table on stdout, progress on stderr, the JSON in its file; rules in the order of their numbers."""
    said = done["no run"]
    assert said.status == 0
    for fact in ("iff k % 2 == 1", "240 of 432", "not n=1, k=2, s=1", "conditional", "2 rules: all as recorded"):
        assert fact in said.stdout
    assert "observed on" not in said.stdout
    assert "deciding 2 rules" in said.stderr
    document = json.loads((folder / "r.json").read_text(encoding="utf-8"))
    assert [one["id"] for one in document["rules"]] == [2, 5]


def test_json_on_stdout_is_there_alone(done: Mapping[str, Finished]) -> None:
    """The documented keys; nothing is observed where nothing is run."""
    document = done["no run, JSON"].document
    (rule,) = document["rules"]
    assert document["schema"] == 1
    assert (rule["verdict"], rule["condition"], rule["observed"]) == ("conditional", "k % 2 == 1", [])
    assert rule["checked"] >= 100
    assert rule["counterexample"]["k"] == 2
    assert rule["source"]["url"].startswith("https://")


def test_a_third_partys_target_confirms_or_does_not(done: Mapping[str, Finished]) -> None:
    """One that is right has the recorded verdicts; a flipped kernel differs from them and the status is 1."""
    seen = [(one["target"], one["verdict"]) for rule in done["right"].document["rules"] for one in rule["observed"]]
    assert seen == [("targets:Correct+default", "holds")] * 2
    assert done["flipped"].status == 1
    assert "rule 9: targets:FlippedKernel+default: it holds on " in done["flipped"].stdout
    assert "2 rules: 2 not as recorded" in done["flipped"].stdout


def test_a_named_target_that_gives_nothing_is_status_3(done: Mapping[str, Finished]) -> None:
    """It cannot be loaded, or no rule is about it; what the others say is shown."""
    broken, idle = done["broken"], done["not concerned"]
    assert (broken.status, idle.status) == (3, 3)
    assert "libmine.so.3" in broken.stderr
    assert "deconvdiff: targets:BreaksOnLoad: gave nothing" in broken.stderr
    assert "targets:Correct: gave nothing" not in broken.stderr
    assert "targets:Correct+default" in broken.stdout
    assert "targets:Correct: gave nothing" in idle.stderr


def test_what_is_recorded_is_only_compared(folder: Path) -> None:
    """The verdicts stay what they are; each difference has a line, and the status is 1."""
    said = deconvdiff(folder, "rules", "--no-run", "--id", "5", "--id", "6", "--id", "9", program=MISTAKEN)
    assert said.status == 1
    assert "rule 5: the arithmetic's verdict is fails, recorded is conditional; the condition k >= 2" in said.stdout
    assert "rule 6: the arithmetic's verdict is conditional, recorded is holds" in said.stdout
    assert "rule 9:" not in said.stdout
    assert "3 rules: 2 not as recorded" in said.stdout


@pytest.fixture(scope="module")
def everything(folder: Path) -> Finished:
    return deconvdiff(folder, "rules", "--json", "-")


@pytest.mark.frameworks
def test_the_installed_frameworks_confirm_every_rule(everything: Finished) -> None:
    """Nothing is other than recorded, and every framework that is installed was asked."""
    document: Mapping[str, Any] = everything.document
    assert everything.status == 0, [one["differences"] for one in document["rules"] if one["differences"]]
    assert [one["id"] for one in document["rules"]] == [one.id for one in STATEMENTS]
    asked = {seen["target"].partition("+")[0] for rule in document["rules"] for seen in rule["observed"]}
    usual = [api for api in registry.apis() if api.framework in registry.DEFAULT]
    assert {api.name for api in usual if registry.missing(api, api.modes[0]) is None} <= asked
    assert all(seen["version"] for rule in document["rules"] for seen in rule["observed"])


@pytest.mark.frameworks
def test_a_backend_may_do_what_another_does_not(everything: Finished) -> None:
    """Keras's documented size for an even kernel and output_padding 0 is refused on TensorFlow alone."""
    seen = {one["target"]: one for one in everything.document["rules"][13]["observed"]}
    due = {"tensorflow": "conditional", "jax": "holds", "torch": "holds"}
    found = {name.partition("+")[2]: one["verdict"] for name, one in seen.items()}
    if missing := due.keys() - found.keys():
        pytest.skip(f"not installed: {', '.join(sorted(missing))}")
    assert found == due
    assert seen["keras.layers.ConvTranspose+tensorflow"]["counterexample"]["k"] % 2 == 0
