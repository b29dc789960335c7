"""The pytest plug-in as its users run it: pytest in a process of its own, in a repository of theirs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

FAULTS = Path(__file__).parents[1] / "faults"
ONE_LINE = "from harness.testing import differential\ntest_deconv = differential({}, max_examples=30)\n"


def run(folder: Path, *arguments: str, environment: dict[str, str] | None = None) -> str:
    """What pytest says in a folder; ``tests/faults`` is importable, like a package of the user's.

    Always the same examples, unless a test is about the seed.
    """
    told = {name: value for name, value in os.environ.items() if not name.startswith(("DECONVDIFF_", "PYTEST_"))}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:randomly", *arguments],
        cwd=folder,
        env={**told, "PYTHONPATH": str(FAULTS), "COLUMNS": "200", "DECONVDIFF_SEED": "5", **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    return done.stdout + done.stderr


def one_line(folder: Path, *targets: str) -> None:
    """A repository with one test of one line."""
    (folder / "test_deconv.py").write_text(ONE_LINE.format(", ".join(map(repr, targets))), encoding="utf-8")


def test_one_line_in_an_empty_repository_passes(tmp_path: Path) -> None:
    """A right target passes; the marker is known, and the header says with which seed it can be drawn again."""
    one_line(tmp_path, "targets:Correct")
    told = run(tmp_path, "-m", "differential", "--strict-markers", "-v")
    assert "1 passed" in told
    assert re.search(r"deconvdiff: profile default, seed \d+; deconvdiff [\d.]+, hypothesis ", told)


@pytest.mark.frameworks
def test_two_frameworks_in_an_empty_repository_pass(tmp_path: Path) -> None:
    """The line of the README, with what the shipped baseline knows."""
    one_line(tmp_path, "torch", "jax")
    assert "1 passed" in run(tmp_path, "-m", "differential", "--deconvdiff-profile", "ci")


def test_a_fault_is_told_so_that_a_stranger_understands(tmp_path: Path) -> None:
    """The failure has the sentence, the minimal case, the sizes, the first difference, the cause and a command."""
    one_line(tmp_path, "targets:FlippedKernel", "targets:Correct")
    told = run(tmp_path)
    assert "1 failed" in told
    for fact in (
        "every element is explained by: kernel flipped",
        "minimal case: ConvTranspose1d(1, 1, kernel_size=2, bias=False), input 1, batch 1, float32, integers, seed",
        "sizes: expected (2,), observed (2,)",
        "first difference: y[0, 0, 0]",
        "cause: kernel flipped",
        "agreeing: targets:Correct+default",
        "reproduce: deconvdiff replay --target targets:FlippedKernel --case",
    ):
        assert fact in told, fact


def test_two_bugs_are_two_failures(tmp_path: Path) -> None:
    """Each finding has an exception class of its own, so that Hypothesis reports both."""
    one_line(tmp_path, "targets:FlippedKernel", "targets:OtherDtype")
    told = run(tmp_path)
    assert "kernel flipped" in told
    assert "returns dtype float64" in told
    assert len(set(re.findall(r"Disagrees_[0-9a-f]{12}", told))) == 2


def test_two_tests_of_one_fault_both_fail(tmp_path: Path) -> None:
    """What one test has shown, another test shows as well, in the same process."""
    one_line(tmp_path, "targets:FlippedKernel")
    (tmp_path / "test_second.py").write_text(ONE_LINE.format("'targets:FlippedKernel'"), encoding="utf-8")
    assert "2 failed" in run(tmp_path)


def test_an_assertion_of_ones_own_is_reduced_by_hypothesis(tmp_path: Path) -> None:
    """``assert_agrees`` raises for every case that shows a finding, so that a ``@given`` test shrinks as usual."""
    test = """
from hypothesis import given, settings
from harness import Case, Layer
from harness.testing import assert_agrees, observe
from strategies import layer_cases, values

@settings(deadline=None, database=None, max_examples=20)
@given(layer_cases(values=values(dtypes=["float32"], kinds=["integers"])))
def test_mine(case):
    assert_agrees(case, "targets:FlippedKernel")

def test_observe():
    case = Case(Layer(kernel_size=3, stride=2, ndim=1), input_size=3)
    assert observe(case, "targets:Correct").size == (7,)
    assert observe(case, "targets:Correct", values=True).values.shape == (1, 1, 7)
    assert_agrees(case, "targets:Correct")
"""
    (tmp_path / "test_mine.py").write_text(test, encoding="utf-8")
    told = run(tmp_path, "--hypothesis-seed=1")
    assert "1 failed, 1 passed" in told
    shrunk = told.partition("Failing test case: test_mine(")[2] or told.partition("Falsifying example: test_mine(")[2]
    assert "kernel_size=(2,)" in shrunk
    assert "input_size=(1,)" in shrunk


def test_a_missing_target_skips_with_the_hint(tmp_path: Path) -> None:
    """What is not installed is said with what to do; nothing fails."""
    one_line(tmp_path, "not_there:Mine")
    told = run(tmp_path, "-rs")
    assert "1 skipped" in told
    assert "module 'not_there' is not found: install it" in told


def test_a_target_that_breaks_on_load_skips_with_its_error(tmp_path: Path) -> None:
    """A broken installation says what it says."""
    one_line(tmp_path, "targets:BreaksOnLoad")
    told = run(tmp_path, "-rs")
    assert "1 skipped" in told
    assert "libmine.so.3: cannot open shared object file" in told


def test_an_unknown_target_is_an_error_of_collection(tmp_path: Path) -> None:
    """A name that is no target is said at once, not skipped."""
    one_line(tmp_path, "pytroch")
    assert "'pytroch' is unknown" in run(tmp_path)


@pytest.mark.parametrize("arguments", [("-n", "2"), ("-p", "no:cacheprovider"), ("--lf",)], ids=" ".join)
def test_it_works_with_other_plug_ins(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """pytest-xdist, no cache, and the last failures alone."""
    one_line(tmp_path, "targets:FlippedKernel")
    (tmp_path / "test_other.py").write_text("def test_passes():\n    pass\n", encoding="utf-8")
    told = run(tmp_path, *arguments)
    assert "1 failed, 1 passed" in told
    assert "kernel flipped" in told
    if arguments == ("--lf",):
        again = run(tmp_path, "--lf")
        assert "1 failed" in again
        assert "passed" not in again.splitlines()[-1]


@pytest.mark.parametrize("processes", ["0", "2"])
def test_the_report_has_what_every_process_observed(tmp_path: Path, processes: str) -> None:
    """One file for the session, whether pytest-xdist spread it or not."""
    one_line(tmp_path, "targets:FlippedKernel")
    second = ONE_LINE.format("'targets:ShiftedCrop'")
    (tmp_path / "test_second.py").write_text(second, encoding="utf-8")
    told = run(tmp_path, "-n", processes, "--deconvdiff-html", "report.html")
    assert "report of the differential tests: report.html" in told
    report = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "kernel flipped" in report
    assert "crop on the other side" in report


def test_a_repository_with_folders_of_our_names_runs_its_own_tests(tmp_path: Path) -> None:
    """The host's ``harness``, ``strategies`` and ``reports`` are imported, not ours."""
    for name in ("harness", "strategies", "reports"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(f"WHOSE = 'the host: {name}'\n", encoding="utf-8")
    test = "import harness, reports, strategies\n\ndef test_mine():\n    assert harness.WHOSE == 'the host: harness'\n"
    (tmp_path / "test_mine.py").write_text(test, encoding="utf-8")
    assert "1 passed" in run(tmp_path, "--deconvdiff-html", "report.html")


def test_no_hypothesis_profile_of_the_host_is_touched(tmp_path: Path) -> None:
    """The host's profile stays loaded and unchanged, and does not decide how many examples ours draws."""
    conftest = """
        from hypothesis import settings
        settings.register_profile("host", max_examples=3)
        settings.load_profile("host")
    """
    test = """
        from hypothesis import settings
        from harness.testing import differential

        test_deconv = differential("targets:Correct", max_examples=7)

        def test_the_profile():
            assert settings.get_current_profile_name() == "host"
            assert settings.default.max_examples == 3
            assert test_deconv._hypothesis_internal_use_settings.max_examples == 7
    """
    for name, text in (("conftest.py", conftest), ("test_host.py", test)):
        lines = [line.removeprefix("        ") for line in text.strip("\n").splitlines()]
        (tmp_path / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert "2 passed" in run(tmp_path, environment={"CI": "true"})


def test_nightly_does_not_repeat_itself_in_ci(tmp_path: Path) -> None:
    """Two nightly sessions have two seeds, though Hypothesis derandomises in CI by itself; ci has one."""
    one_line(tmp_path, "targets:Correct")
    (tmp_path / "pytest.ini").write_text("[pytest]\ndeconvdiff_profile = nightly\n", encoding="utf-8")
    seed = re.compile(r"profile (\w+), seed (\d+)")
    nights = [
        seed.findall(run(tmp_path, "--collect-only", environment={"CI": "1", "DECONVDIFF_SEED": ""})) for _ in range(2)
    ]
    assert nights[0][0][0] == nights[1][0][0] == "nightly"
    assert nights[0] != nights[1]
    always = run(tmp_path, "--collect-only", "--deconvdiff-profile", "ci", environment={"DECONVDIFF_SEED": ""})
    assert seed.findall(always) == [("ci", "0")]


def test_the_ini_file_names_targets_and_baseline(tmp_path: Path) -> None:
    """Each option has a twin: a target that is asked besides, and a file that knows what it does."""
    one_line(tmp_path, "targets:Correct")
    ini = "[pytest]\ndeconvdiff_target = targets:FlippedKernel\n"
    (tmp_path / "pytest.ini").write_text(ini, encoding="utf-8")
    assert "kernel flipped" in run(tmp_path)
    known = """
schema = 1
[[known]]
id = "flipped"
oracle = "agreement"
api = "targets:FlippedKernel"
kind = "value"
reason = "planted"
"""
    (tmp_path / "known.toml").write_text(known, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text(ini + "deconvdiff_baseline = known.toml\n", encoding="utf-8")
    assert "1 passed" in run(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--deconvdiff-profile", "weekly"), "'weekly' is unknown: known are default, ci, nightly"),
        (("--deconvdiff-baseline", "gone.toml"), "gone.toml: there is no such file"),
        (("--deconvdiff-seed", "-1"), "'-1': must be an integer of at least 0"),
    ],
)
def test_bad_options_are_said_in_one_line(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    """Value, rule, and what there is instead."""
    assert said in run(tmp_path, *arguments)


def test_it_stands_beside_a_plug_in_with_short_options(tmp_path: Path) -> None:
    """Another plug-in may have any short option: ours has none."""
    conftest = "def pytest_addoption(parser):\n    parser.addoption('-Z', action='store_true')\n"
    (tmp_path / "conftest.py").write_text(conftest, encoding="utf-8")
    (tmp_path / "test_mine.py").write_text("def test_mine(request):\n    assert request.config.getoption('-Z')\n")
    assert "1 passed" in run(tmp_path, "-Z")
