"""The README's examples are run, so that they stay true."""

from __future__ import annotations

import doctest
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from harness.audit.readers.layer_file import read_layers

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
COMMAND = [sys.executable, "-c", "from harness.cli import main; main()"]


def blocks(language: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", TEXT, flags=re.DOTALL)


def test_the_python_session_is_true() -> None:
    """Every prompt of the Python session prints what stands below it."""
    assert doctest.testfile(str(ROOT / "README.md"), module_relative=False) == (0, 5)


@pytest.mark.parametrize("session", blocks("console"))
def test_the_console_sessions_are_true(session: str, tmp_path: Path) -> None:
    """Each is what the command prints, but for a rounding error, which the processor decides."""
    prompt, expected = session.split("\n", 1)
    arguments = shlex.split(prompt.removeprefix("$ deconvdiff "))
    done = subprocess.run([*COMMAND, *arguments], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=120)
    assert without_errors(done.stdout) == without_errors(expected)


def without_errors(text: str) -> str:
    """The text with every share of a bound left out."""
    return re.sub(r"error [-.e\d]+ of the bound", "error", text)


def test_the_file_of_layers_is_one(tmp_path: Path) -> None:
    """The example is read as it stands."""
    (example,) = blocks("toml")
    (tmp_path / "layers.toml").write_text(example, encoding="utf-8")
    (layer,) = read_layers(tmp_path / "layers.toml")
    assert (layer.name, layer.spelling.api, layer.input_size) == ("decoder.up1", "torch.nn.ConvTranspose", (8, 8))


def test_the_target_of_ones_own_draws_no_finding(tmp_path: Path) -> None:
    """The third party's dozen lines load, answer, and agree."""
    (source,) = (block for block in blocks("python") if "class Mine" in block)
    (tmp_path / "mine.py").write_text(source, encoding="utf-8")
    arguments = ["fuzz", "--target", "mine:Mine", "--cases", "10", "--seed", "1"]
    done = subprocess.run(
        [*COMMAND, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert "0 findings" in done.stdout


@pytest.mark.parametrize("name", ["main job", "tests"])
def test_the_two_commands_are_one_line_each(name: str) -> None:
    """The commands that a newcomer and the checks of a pull request copy stand where they are looked for."""
    found = re.search(rf"<!-- {name} -->\n```sh\n(python3 -m venv .*)\n```\n", TEXT)
    assert found is not None


def test_local_links_lead_somewhere() -> None:
    """Every file that the README links is in the repository."""
    for target in re.findall(r"\]\(([^)#]+)\)", TEXT):
        assert target.startswith("http") or (ROOT / target).is_file(), target
