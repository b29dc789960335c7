"""``sizes``, ``targets``, ``report``, ``replay`` and every ``--help``, as a person runs them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from command import Finished, deconvdiff, one_after_the_other

from harness import Case, Layer

CASE = Case(Layer(kernel_size=3, stride=2, ndim=1), input_size=3)
HELPED = ("fuzz", "sizes", "rules", "targets", "report", "replay", "sensitivity")
#: what the examples in the help of a command have
SHOWN = {
    "fuzz": ("--target", "--where", "--baseline", "--baseline-update", "--profile", "--junit", "--summary", "--json"),
    "replay": (".json", ".html", "--case", "--script", "--issue", "a finding of .deconvdiff/results.sqlite"),
    "report": ("--html", "--json", "--junit", "--summary"),
    "rules": ("--no-run", "--id", "--target", "--json"),
    "sizes": ("--padding", "1..12", "--html", "--json", "--layer", "--from"),
    "sensitivity": ("--list", "--fault 'bias-*'", "--seed", "--cases", "--json", "--summary"),
}
BOTH = ("--target", "targets:Correct", "--target", "targets:FlippedKernel")
SIZES = ("sizes", "--input-size", "3", "--kernel-size", "3", "--stride", "2")
LAYER = "ConvTranspose2d(64, 32, 3, stride=2, padding=1, output_padding=1)"
SAME = "jax.lax.conv_transpose(x, (3, 8, 4), (2,), 'SAME')"
SHAPED = "tf.nn.conv1d_transpose(x, (3, 8, 4), [2, 9, 8], 2, 'SAME')"
COMMANDS: dict[str, tuple[str, ...]] = {
    "sizes": SIZES,
    "sizes, padded": (*SIZES, "--padding", "1"),
    "sizes, two axes": ("sizes", "--input-size", "7,9", "--kernel-size", "3,4", "--stride", "2", "--json", "-"),
    "sizes, range": ("sizes", "--input-size", "1..12", "--kernel-size", "3", "--stride", "2", "--padding", "1"),
    "sizes, range, JSON": ("sizes", "--input-size", "2..4,9", "--kernel-size", "3", "--stride", "2", "--json", "-"),
    "sizes, layer": ("sizes", "--input-size", "3", "--layer", LAYER, "--html", "sizes.html", "--json", "sizes.json"),
    "sizes, same": ("sizes", "--input-size", "1..3", "--from", "jax", "--layer", SAME, "--json", "-"),
    "sizes, one size only": ("sizes", "--input-size", "4..6", "--from", "tensorflow", "--layer", SHAPED, "--json", "-"),
    "targets": ("targets",),
    "targets, JSON": ("targets", "--json", "-"),
    "fuzz": ("fuzz", *BOTH, "--cases", "12", "--seed", "3", "--json", "r.json"),
    "report": ("report", "--html", "again.html", "--json", "again.json"),
    "report, JSON": ("report", ".deconvdiff/results.sqlite", "--json", "-"),
    "report, no such run": ("report", "--run", "nobody"),
    "replay, result": ("replay", "r.json", "--target", "targets:FlippedKernel"),
    "replay, right": ("replay", "--case", json.dumps(CASE.to_json()), "--target", "targets:Correct"),
    "replay, file": ("replay", "case.json", "--target", "targets:TooLong"),
    "replay, none to ask": ("replay", "case.json", "--target", "targets:BreaksOnLoad"),
    "help ": ("--help",),
    **{f"help {command}": (command, "--help") for command in SHOWN},
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("short")
    (made / "case.json").write_text(json.dumps(CASE.to_json()), encoding="utf-8")
    return made


@pytest.fixture(scope="module")
def done(folder: Path) -> Mapping[str, Finished]:
    return one_after_the_other(folder, COMMANDS)


@pytest.mark.parametrize(("name", "valid"), [("sizes", "7 or 8"), ("sizes, padded", "5 or 6")])
def test_sizes_says_which_sizes_are_valid_and_who_picks_which(
    name: str, valid: str, done: Mapping[str, Finished]
) -> None:
    """The two examples of the help, with a row for every API."""
    said = done[name]
    assert said.status == 0
    assert f"input size 3 -> valid output sizes {valid}" in said.stdout
    for api in (
        "torch.nn.ConvTranspose",
        "jax.lax.conv_transpose",
        "tf.nn.conv_transpose",
        "keras.layers.ConvTranspose",
        "flax.linen.ConvTranspose",
        "flax.nnx.ConvTranspose",
    ):
        assert api in said.stdout


def test_the_size_that_keras_picks_is_marked_as_shifted(done: Mapping[str, Finished]) -> None:
    """N = 3, k = 3, s = 2, p = 1: Keras picks 6 with crop (0, 1), PyTorch's crop at 6 is (1, 0)."""
    (row,) = (line for line in done["sizes, padded"].stdout.splitlines() if "keras.layers" in line)
    assert "6: shifted (0, 1)" in row


def test_sizes_takes_axes_with_commas(done: Mapping[str, Finished]) -> None:
    """Every axis by itself; the keys of the schema."""
    document = done["sizes, two axes"].document
    assert [axis["valid"] for axis in document["axes"]] == [[15, 16], [20, 21]]
    assert [(axis["axis"], axis["input_size"]) for axis in document["axes"]] == [(0, 7), (1, 9)]
    for axis in document["axes"]:
        for api in axis["apis"]:
            assert {"api", "default", "valid", "rules", "reach", "unreachable", "picked", "limit"} <= api.keys()


def test_sizes_of_a_range_are_an_overview(done: Mapping[str, Finished]) -> None:
    """A line for each size that an input may become, with the forward view and a mark for each API."""
    text = done["sizes, range"].stdout
    assert done["sizes, range"].status == 0
    for n in range(1, 13):
        (row,) = (line for line in text.splitlines() if f"{2 * n - 1} and {2 * n} -> {n} " in line)
        torch, jax, general, tensorflow, keras = (cell.strip() for cell in row.strip("│").split("│")[1:])
        assert torch == f"{2 * n - 1} same *"
        assert jax == general == tensorflow == keras == f"{2 * n - 1} same"
    assert "12 shifted *" in text
    assert "* shifted: picked with shifted values" in text


def test_sizes_have_an_entry_for_every_axis_and_input_size(done: Mapping[str, Finished]) -> None:
    """A range on one axis, one size on the other; the forward view of each."""
    document = done["sizes, range, JSON"].document
    assert [(axis["axis"], axis["input_size"]) for axis in document["axes"]] == [(0, 2), (0, 3), (0, 4), (1, 9)]
    assert [axis["forward"] for axis in document["axes"]][1] == {"3": [7, 8]}
    assert document["skipped"] == []


def test_sizes_of_a_layer_are_those_of_its_words(folder: Path, done: Mapping[str, Finished]) -> None:
    """The words as they were read, the layer that they mean, on each axis what PyTorch picks by them; a page, too."""
    document = json.loads((folder / "sizes.json").read_text(encoding="utf-8"))
    assert document["source"]["api"] == "torch.nn.ConvTranspose"
    assert document["source"]["arguments"]["padding"] == 1
    assert (document["layer"]["in_channels"], document["layer"]["output_padding"]) == (64, [1, 1])
    for axis in document["axes"]:
        (torch,) = (api for api in axis["apis"] if api["api"] == "torch.nn.ConvTranspose")
        assert (axis["valid"], torch["default"], torch["picked"]["crop"]) == ([5, 6], 6, [1, 0])
    page = (folder / "sizes.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert "3 may become 5 or 6" in page
    assert "picture: sizes.html" in done["sizes, layer"].stdout
    assert "axes 0 and 1: input size 3 -> valid output sizes 5 or 6" in done["sizes, layer"].stdout


def test_a_shifted_crop_is_never_the_same(done: Mapping[str, Finished]) -> None:
    """Of JAX's SAME, crop (0, 1): what PyTorch reaches of its sizes is another crop, and is said so."""
    for axis in done["sizes, same"].document["axes"]:
        apis = {api["api"]: api for api in axis["apis"]}
        asked = axis["asked"]
        assert apis["jax.lax.conv_transpose"]["picked"]["crop"] == [0, 1]
        assert not any(reach["same_crop"] for reach in apis["torch.nn.ConvTranspose"]["reach"].values())
        for api in apis.values():
            for size, reach in api["reach"].items():
                assert reach["same_crop"] == (reach["crop"] == asked[size])


def test_sizes_at_which_a_layer_means_nothing_are_said(done: Mapping[str, Finished]) -> None:
    """A named output shape fits one of three input sizes: the others are on stderr, and in the JSON with the reason."""
    said = done["sizes, one size only"]
    assert [axis["input_size"] for axis in said.document["axes"]] == [5]
    assert [one["input_size"] for one in said.document["skipped"]] == [[4], [6]]
    assert said.told == ["deconvdiff: without input sizes 4, 6: " + said.document["skipped"][0]["reason"]]


def test_targets_lists_every_mode_with_its_own_arguments(done: Mapping[str, Finished]) -> None:
    """As text and as JSON; nothing is started for it."""
    entries = done["targets, JSON"].document["targets"]
    names = [entry["name"] for entry in entries]
    assert {"torch.nn.ConvTranspose+eager", "tf.nn.conv_transpose+xla", "keras.layers.ConvTranspose+abstract"} <= {
        *names
    }
    assert all(entry["available"] or "pip install" in entry["reason"] for entry in entries)
    for name in names:
        assert name in done["targets"].stdout


def test_report_gives_the_run_again(folder: Path, done: Mapping[str, Finished]) -> None:
    """The same JSON as the run's own, on stdout and in a file, and a page."""
    first = json.loads((folder / "r.json").read_text(encoding="utf-8"))
    assert done["fuzz"].status == 1
    assert done["report"].status == 0
    assert json.loads((folder / "again.json").read_text(encoding="utf-8")) == first
    assert done["report, JSON"].document == first
    assert "<!doctype html>" in (folder / "again.html").read_text(encoding="utf-8")
    assert "'nobody'" in done["report, no such run"].stderr


def test_replay_runs_findings_and_cases_again(done: Mapping[str, Finished]) -> None:
    """A result's finding is still objected to, a right target is not, a wrong size is said."""
    assert (done["replay, result"].status, done["replay, right"].status, done["replay, file"].status) == (1, 0, 1)
    assert "as it should be" in done["replay, right"].stdout
    assert "returns output shape (1, 1, 8)" in done["replay, file"].stdout


def test_replay_without_anybody_to_ask_is_status_3(done: Mapping[str, Finished]) -> None:
    """The reason and what to do stand on stderr."""
    said = done["replay, none to ask"]
    assert said.status == 3
    assert "libmine.so.3" in said.stderr
    assert "deconvdiff targets" in said.stderr


@pytest.mark.parametrize("command", ["", *SHOWN])
def test_help_shows_by_example_what_a_command_is_for(command: str, done: Mapping[str, Finished]) -> None:
    """The examples stand on lines of their own, in the words of today's options."""
    said = done[f"help {command}"]
    examples = [line.strip() for line in said.stdout.splitlines() if line.strip().startswith(f"deconvdiff {command}")]
    assert (said.status, said.stderr) == (0, "")
    for fact in SHOWN.get(command, HELPED):
        assert any(fact in example for example in examples), fact


def test_help_teaches_by_example_and_imports_nothing_heavy(tmp_path: Path) -> None:
    """Every command's help has examples of itself; neither NumPy nor Hypothesis nor a framework is imported."""
    program = (
        "import sys\nfrom harness.cli import main\ntry:\n    main()\nfinally:\n    print(*sys.modules, file=sys.stderr)"
    )
    for command in HELPED:
        said = deconvdiff(tmp_path, command, "--help", program=program)
        assert said.status == 0
        assert said.stdout.count(f"deconvdiff {command}") >= 2
        heavy = {"numpy", "hypothesis", "rich", "jinja2", "torch", "jax", "tensorflow", "keras", "flax"}
        assert heavy.isdisjoint(said.stderr.split())
