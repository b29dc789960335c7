"""What a person writes after ``--target`` and which targets that names."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from harness.campaign.ask import Chosen
from harness.campaign.select import all_targets, select
from harness.errors import UsageError
from harness.frameworks import registry
from harness.frameworks.base import IMPLIED

NAMES = [api.name for api in registry.apis()]


def names(selector: str) -> list[str]:
    """The names of the targets of one selector."""
    return [chosen.target.name for chosen in select([selector])[selector]]


def one(selector: str) -> Chosen:
    """The one target of a selector."""
    (chosen,) = select([selector])[selector]
    return chosen


def test_without_selectors_every_mode_of_the_four_frameworks_is_chosen() -> None:
    """Under the empty selector, in their order; Flax, which is JAX underneath, is asked when it is named."""
    (chosen,) = select([]).values()
    assert list(select([])) == [""]
    assert list(dict.fromkeys(one.framework for one in chosen)) == ["torch", "jax", "tensorflow", "keras"]
    assert {one.target.name for one in chosen} <= {one.target.name for one in all_targets()}


def test_all_targets_are_every_mode_of_every_api() -> None:
    """Each once, with the pure half of its API."""
    listed = [(one.target.api, one.target.mode) for one in all_targets()]
    assert listed == [(api.name, mode.name) for api in registry.apis() for mode in api.modes]
    assert all(one.api is not None and one.api.name == one.target.api for one in all_targets())


@pytest.mark.parametrize("framework", [*registry.DEFAULT, "flax"])
def test_a_framework_names_every_mode_of_all_its_apis(framework: str) -> None:
    """Nothing of another framework."""
    expected = [
        f"{api.name}+{mode.name}" for api in registry.apis() if api.framework == framework for mode in api.modes
    ]
    assert names(framework) == expected != []


@pytest.mark.parametrize("name", NAMES)
def test_an_api_names_every_mode_of_its_own(name: str) -> None:
    """And not those of the framework's other APIs."""
    (api,) = [api for api in registry.apis() if api.name == name]
    assert names(name) == [f"{name}+{mode.name}" for mode in api.modes]


@pytest.mark.parametrize("name", NAMES)
def test_a_mode_names_one_target_of_an_api(name: str) -> None:
    """``API+MODE`` is the target's own name."""
    for target in names(name):
        assert names(target) == [target]


def test_a_mode_of_a_framework_names_it_in_every_api_that_has_it() -> None:
    """``jax+abstract`` is two targets."""
    assert names("jax+abstract") == ["jax.lax.conv_transpose+abstract", "jax.lax.conv_general_dilated+abstract"]


@pytest.mark.parametrize("name", [one.target.name for one in all_targets() if one.mode.share])
def test_a_slow_mode_that_somebody_names_is_asked_every_time(name: str) -> None:
    """By its framework it is asked of a share; what else the mode is stays."""
    (shared,) = [chosen for chosen in all_targets() if chosen.target.name == name]
    assert shared in select([shared.framework])[shared.framework]
    assert one(name) == replace(shared, mode=replace(shared.mode, share=False), named=True)


def test_what_is_not_installed_is_chosen_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is reported as unavailable with the command that installs it, not dropped."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    chosen = select(["torch"])["torch"]
    assert len(chosen) > 1
    for each in chosen:
        assert each.missing is not None
        assert "torch is not installed" in each.missing
        assert "deconvdiff[torch]" in each.missing


def test_several_selectors_are_kept_apart() -> None:
    """Each with its own targets: a selector that gave no observation is to be named."""
    chosen = select(["torch", "keras.layers.ConvTranspose"])
    assert list(chosen) == ["torch", "keras.layers.ConvTranspose"]
    assert all(one.framework == "torch" for one in chosen["torch"])


@pytest.mark.usefixtures("faults")
def test_a_class_is_named_by_its_module() -> None:
    """Only its worker will import it: nothing is known of it yet but where it is."""
    for chosen in select(["targets:Correct"])["targets:Correct"]:
        assert chosen.location == chosen.framework == chosen.target.api == "targets:Correct"
        assert chosen.api is None
        assert chosen.missing is None


@pytest.mark.usefixtures("faults")
def test_a_class_is_asked_in_its_default_mode_and_in_those_that_its_methods_may_imply() -> None:
    """Shape inference and gradients are asked if the class turns out to have them: nobody named them."""
    default, *implied = select(["targets:Correct"])["targets:Correct"]
    assert (default.target.name, default.implied) == ("targets:Correct+default", False)
    assert (default.mode.abstract, default.mode.gradient, default.mode.share) == (False, False, False)
    assert [chosen.target.mode for chosen in implied] == ["abstract", "gradient"]
    assert tuple(chosen.mode for chosen in implied) == IMPLIED
    assert all(chosen.implied for chosen in implied)


@pytest.mark.usefixtures("faults")
@pytest.mark.parametrize("mode", [mode.name for mode in IMPLIED])
def test_an_implied_mode_that_somebody_names_is_asked_alone_and_every_time(mode: str) -> None:
    """It is no share of the cases then, and its absence is an error of the class."""
    chosen = one(f"targets:Correct+{mode}")
    (usual,) = [each for each in IMPLIED if each.name == mode]
    assert (chosen.target.name, chosen.implied) == (f"targets:Correct+{mode}", False)
    assert chosen.mode == replace(usual, share=False)


@pytest.mark.parametrize("mode", ["default", "fast"])
def test_a_class_may_be_asked_in_a_mode(mode: str) -> None:
    """Like any other API: in that one alone."""
    chosen = one(f"targets:Correct+{mode}")
    assert (chosen.target.name, chosen.mode.name) == (f"targets:Correct+{mode}", mode)
    assert (chosen.mode.abstract, chosen.mode.gradient, chosen.implied) == (False, False, False)


def test_no_target_of_ours_is_implied() -> None:
    """Every mode of a declared API is declared, and named with it."""
    assert not any(chosen.implied for chosen in all_targets())
    assert {chosen.target.mode for chosen in all_targets() if chosen.mode.gradient} == {"gradient"}


def test_choosing_a_class_does_not_import_its_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that exits when it is imported is the worker's affair. The current folder counts, as it does there."""
    (tmp_path / "leaves_at_once.py").write_text("raise SystemExit(1)\n")
    monkeypatch.chdir(tmp_path)
    assert [chosen.missing for chosen in select(["leaves_at_once:Thing"])["leaves_at_once:Thing"]] == [None] * 3
    assert "leaves_at_once" not in sys.modules


def test_a_class_of_a_module_that_cannot_be_found_says_what_to_do() -> None:
    """Not a usage error: the name is well formed."""
    for chosen in select(["no_such_package.ops:Thing"])["no_such_package.ops:Thing"]:
        assert chosen.missing is not None
        assert "no_such_package" in chosen.missing
        assert "PYTHONPATH" in chosen.missing


@pytest.mark.parametrize(
    "selector", ["pytorch", "torch.nn.ConvTranspose2d", "Torch", "torch+fast", "tf.nn.conv_transpose+jit"]
)
def test_an_unknown_name_or_mode_is_refused_with_what_is_known(selector: str) -> None:
    """Every framework, every API, every mode and the form of a class are listed, with the offending text."""
    with pytest.raises(UsageError) as refused:
        select(["torch", selector])
    message = str(refused.value)
    assert repr(selector) in message
    modes = {mode.name for api in registry.apis() for mode in api.modes}
    for known in (*registry.DEFAULT, *NAMES, *modes, "package.module:Class"):
        assert known in message
    assert "\n" not in message


@pytest.mark.parametrize("selector", ["", "+eager", "torch+", "torch+eager+xla", "@old", "torch@"])
def test_what_is_no_selector_is_refused_with_the_form(selector: str) -> None:
    """The message shows how a selector is written."""
    with pytest.raises(UsageError, match=r"NAME\+MODE, NAME@ENV or package\.module:Class") as refused:
        select([selector])
    assert repr(selector) in str(refused.value)


@pytest.mark.parametrize("selector", ["torch@old", "torch+eager@old"])
def test_an_environment_that_is_not_defined_is_refused(selector: str) -> None:
    """It is named, and what to do instead."""
    with pytest.raises(UsageError, match="'old'"):
        select([selector])


def test_choosing_imports_no_framework() -> None:
    """Only workers do."""
    before = set(sys.modules)
    assert all_targets()
    assert select([])
    assert not {"torch", "jax", "tensorflow", "keras", "flax"} & (set(sys.modules) - before)
