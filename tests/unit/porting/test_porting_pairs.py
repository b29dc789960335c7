"""Pairs put together: conditions that separate right from wrong, counterexamples, the page, the command."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.cli.pairs import pairs as command
from harness.errors import UsageError
from harness.frameworks.jax import ConvTranspose as Jax
from harness.frameworks.torch import ConvTranspose as Torch
from harness.judge.condition import Condition, Facts
from harness.layer import Case, Layer
from harness.porting import portings
from harness.porting.foretold import PARTS
from harness.portings import Confirmation, Contradiction, Counterexample, Fact, Pair, Portings, Verdict, Wording
from reports import html
from reports.porting import page

TORCH, JAX = Torch(), Jax()


@pytest.fixture(scope="module")
def found() -> Pair:
    """PyTorch to JAX, foretold and not run."""
    return portings([TORCH], [JAX], cases=60, run=0).pairs[0]


def holds(condition: str | None, **arguments: int) -> bool:
    layer = Layer(**arguments, bias=False, ndim=1)
    case = Case(layer, input_size=4)
    assert condition is not None
    return Condition.parse(condition).holds(Facts.of(case, layer))


def test_the_crop_of_pytorchs_padding_in_jax_has_a_condition(found: Pair) -> None:
    """It was learned: the crops coincide for k = 3, p = 1, and not for k = 4, p = 1, nor with output padding."""
    usual = max(found.wordings, key=lambda one: one.fact("value").of).fact("crop")
    assert usual.verdict is Verdict.SOMETIMES
    assert holds(usual.condition, kernel_size=3, padding=1)
    assert not holds(usual.condition, kernel_size=4, padding=1)
    assert not holds(usual.condition, kernel_size=3, padding=1, stride=2, output_padding=1)


def test_the_kernel_is_told_apart_from_the_crop(found: Pair) -> None:
    """Nearly every value is wrong for the kernel's sake; size and crop have figures of their own all the same."""
    kernel = found.fact("kernel")
    assert holds(kernel.condition, kernel_size=1)
    assert not holds(kernel.condition, kernel_size=2)
    assert found.fact("crop").right > 0
    assert found.fact("crop").of == found.fact("taken").right
    assert found.fact("value").of == found.cases == 60


def test_counterexamples_are_wrong_as_they_say(found: Pair) -> None:
    """Each part that is wrong in some call has its smallest one, with both calls and the reason."""
    wrong = {fact.part for fact in found.facts if fact.right < fact.of} - {"value"}
    assert {one.part for one in found.counterexamples} == wrong
    crop = found.counterexample("crop")
    assert crop is not None
    assert (crop.output_size == crop.found_size) == crop.reason.startswith("same size, values shifted")
    assert "jax.lax.conv_transpose(" in str(crop.copied)


def test_nothing_is_said_to_have_run(found: Pair) -> None:
    """Without a run there is no confirmation."""
    assert found.confirmation == Confirmation(missing="nothing was run")
    assert {one.ran for one in found.counterexamples} == {None}


def example() -> Portings:
    """A pair with everything, made up, and hostile."""
    facts = tuple(Fact(part, 3, 4, Verdict.SOMETIMES, "max(k) == 1", "right on all 9") for part in PARTS)
    bad = Counterexample(
        "crop", "<script>a</script>", "b(\x1b)", (4,), (8,), (8,), "same size, values shifted by 1", True
    )
    seen = Confirmation(12, 11, 1, (Contradiction("a()", "b()", (4,), "an output of size (8,)", "it <b>died</b>"),))
    wordings = (Wording("padding='SAME'", facts), Wording("padding pairs", facts))
    one = Pair("a.source", "b.target", 4, facts, wordings, (bad,), seen, ("a habit",))
    return Portings(1, 4, (one, replace(one, source="b.target", target="a.source")), {"a": "1.0", "b": None})


def test_every_cell_leads_to_its_pair() -> None:
    """The page's matrix has a cell for each pair, and an article for each cell; text of calls stays text."""
    shown, text = page(example()), html.render_portings(example())
    anchors = [cell.anchor for row in shown.rows for cell in row.cells if cell.anchor]
    assert len(anchors) == len(set(anchors)) == 2
    assert all(f'href="#{anchor}"' in text and f'id="{anchor}"' in text for anchor in anchors)
    assert "<script>a" not in text
    assert "<b>died" not in text
    assert "\x1b" not in text
    assert "11 of 12 that were run did what was foretold; 1 call left out" in text
    assert "same size, values shifted by 1" in text


def test_the_json_has_the_records() -> None:
    """Plain data with a schema: parts, wordings with their conditions, counterexamples, what was run."""
    data = json.loads(json.dumps(example().to_json()))
    assert data["schema"] == 1
    first = data["pairs"][0]
    assert first["wordings"][0]["facts"][0]["condition"] == "max(k) == 1"
    assert first["counterexamples"][0]["found_size"] == [8]
    assert first["confirmation"]["contradictions"][0]["foretold"] == "an output of size (8,)"


def test_the_command_writes_what_it_is_asked_for(tmp_path: Path) -> None:
    """Of one pair of APIs: JSON on stdout alone, a page in its file, status 0 although nearly all of it is wrong."""
    target = tmp_path / "porting.html"
    arguments = ["--from", "jax.lax.conv_transpose", "--to", "flax.linen.ConvTranspose", "--cases", "10", "--no-run"]
    done = CliRunner().invoke(command, [*arguments, "--json", "-", "--html", str(target)], standalone_mode=False)
    assert done.return_value == 0
    assert [pair["target"] for pair in json.loads(done.stdout)["pairs"]] == ["flax.linen.ConvTranspose"]
    assert "flax.linen.ConvTranspose" in target.read_text(encoding="utf-8")


def test_the_command_prints_sizes_values_and_what_goes_wrong() -> None:
    """Without a file the table says it all; a text that is no name of an API is one line."""
    arguments = ["--from", "jax.lax.conv_transpose", "--to", "flax.linen.ConvTranspose", "--cases", "10", "--no-run"]
    done = CliRunner().invoke(command, arguments, standalone_mode=False)
    assert done.exception is None
    assert "of 10" in done.stdout
    refused = CliRunner().invoke(command, ["--to", "jaxx"], standalone_mode=False)
    assert isinstance(refused.exception, UsageError)
    assert "--to jaxx: is no framework and no API" in str(refused.exception)


def test_a_port_is_right_only_with_all_of_its_parts(found: Pair) -> None:
    """The value counts no more calls than kernel or crop; a pair is not counted with itself."""
    assert found.fact("value").right <= min(found.fact("kernel").right, found.fact("crop").right)
    assert portings([JAX], [JAX], cases=2, run=0).pairs == ()
