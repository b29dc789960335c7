"""``deconvdiff audit``: what a port of a layer or a model must write in another framework, proved by running it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.options import PerAxis
from harness.cli.output import check_distinct, check_writable, write, write_json
from harness.cli.pairs import pairs
from harness.cli.text import clean
from harness.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.audit.found import Model
    from harness.audit.text import Port
    from harness.frameworks.base import Api
    from harness.ported import Audit, TargetPort


class _Audit(click.Command):
    """``--pairs`` makes it another command, with options of its own."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """The context of the command that is meant."""
        if "--pairs" not in args:
            return super().make_context(info_name, args, parent, **extra)
        rest = [argument for argument in args if argument != "--pairs"]
        return pairs.make_context(f"{info_name} --pairs", rest, parent, **extra)


@click.command(cls=_Audit)
@click.argument("model", required=False, metavar="[MODEL]")
@click.option("--layer", "text", metavar="TEXT", help="One layer, as its framework writes it, instead of a model.")
@click.option("--from", "source", default="torch", show_default=True, metavar="NAME", help="Whose words --layer is in.")
@click.option("--to", "targets", multiple=True, metavar="NAME", help="A framework or an API; repeatable. Default: all.")
@click.option("--input-size", type=PerAxis(), help="Size of the layers' input, where the model does not say it.")
@click.option(
    "--input-shape", type=PerAxis(), metavar="N,C,...", help="Shape of the model's first input, if it says none."
)
@click.option("--layer-file", type=click.Path(path_type=Path), help="The layers of a file that has only weights.")
@click.option("--trust", is_flag=True, help="Read models that run code of their own: .pt2 and module:factory.")
@click.option("--json", "json_path", metavar="FILE|-", help="Write the audit as JSON; '-' is stdout.")
@click.option("--html", "html_path", type=click.Path(path_type=Path), help="Write a page for people.")
@click.option("--summary", "summary_path", type=click.Path(path_type=Path), help="Write Markdown for a pull request.")
@click.option(
    "--python",
    "python_path",
    type=click.Path(path_type=Path),
    help="Write one tested module.",
)
def audit(
    model: str | None,
    text: str | None,
    source: str,
    targets: tuple[str, ...],
    input_size: tuple[int, ...] | None,
    input_shape: tuple[int, ...] | None,
    layer_file: Path | None,
    trust: bool,
    json_path: str | None,
    html_path: Path | None,
    summary_path: Path | None,
    python_path: Path | None,
) -> int:
    """Say what to write in another framework for a layer, or for every transposed convolution of a model.

    For each target: what copying the words would do, and a recipe - the call, what becomes of the weight, the crop
    after it - or why there is none. Every recipe is run: on integers it must give the definition's numbers exactly, on
    the real weights its error must lie within the bound of rounding. Every snippet shown has been executed.

    \b
    deconvdiff audit --layer "ConvTranspose2d(64, 32, 4, stride=2, padding=1)" --to jax
    deconvdiff audit --layer "Conv2DTranspose(32, 3, strides=2, padding='same')" --from keras --to torch
    deconvdiff audit model.onnx --to flax --python ported.py     a module with a function for each layer, tested
    deconvdiff audit model.keras --html audit.html --summary audit.md
    deconvdiff audit weights.safetensors --layer-file layers.toml --to tensorflow
    deconvdiff audit --pairs --from torch --to jax       what copying words does in general; see --pairs --help
    deconvdiff audit my.package:make_model --trust --input-shape 1,3,64,64

    MODEL is a file .onnx, .keras, .safetensors, .pt, .pth or .bin (tensors only), a .json or .toml file of layers;
    with --trust, which RUNS CODE of the model, .pt2 or module:factory. pip install 'deconvdiff[audit]' has what opens
    files. Without an input size a recipe is one that holds for every size, or it says for which.

    Exit status: 0 every layer is ported to every framework and proved, 1 some layer differs, cannot be expressed or was
    not read, 2 usage, 3 a framework that --to names is not installed, or none is.
    """
    outputs = {"--html": html_path, "--summary": summary_path, "--python": python_path}
    named = {**outputs, "--json": None if json_path in (None, "-") else Path(str(json_path))}
    check_distinct(**named)
    for option, path in named.items():
        if path is not None:
            check_writable(option, path)
    apis = _targets(targets)
    found = _model(model, text, source, layer_file, input_shape, input_size, trust=trust)
    if python_path is not None and len({api.framework for api in apis}) > 1:
        raise UsageError("--python: is a module for one framework: name it with --to")
    missing = _missing(apis)
    asked = apis if targets else [api for api in apis if api.framework not in missing]
    result, ports = _audited(found, asked, missing, input_size)
    _write(result, ports, json_path, html_path, summary_path, python_path)
    if json_path != "-":
        _print(result)
    for name, reason in missing.items():
        click.echo(f"deconvdiff: nothing was run on {name}: {clean(reason)}", err=True)
    return 3 if missing and (targets or not asked) else 0 if result.is_portable else 1


def _model(
    path: str | None,
    text: str | None,
    source: str,
    layer_file: Path | None,
    input_shape: tuple[int, ...] | None,
    input_size: tuple[int, ...] | None,
    *,
    trust: bool,
) -> Model:
    from harness.audit.readers import read_model

    if (path is None) == (text is None):
        raise UsageError("audit: name a MODEL or write a --layer, one of the two")
    if text is None:
        return read_model(str(path), layer_file=layer_file, trust=trust, input_shape=input_shape)
    of_files = {"--layer-file": layer_file, "--input-shape": input_shape, "--trust": trust or None}
    if unread := [option for option, value in of_files.items() if value is not None]:
        raise UsageError(f"{unread[0]}: is for a MODEL: leave it out beside --layer")
    return _written(text, source, input_size)


def _written(text: str, source: str, input_size: tuple[int, ...] | None) -> Model:
    """The model of one written layer, which must mean one."""
    from harness.audit.audit import source_of
    from harness.audit.found import FoundLayer, Model
    from harness.audit.wanted import want
    from harness.audit.written import read_layer

    written = read_layer(text, source)
    found = FoundLayer("layer", written.spelling, written.ndim, notes=written.notes)
    want(found, source_of(found), input_size)  # what a person wrote and nobody understands is no result
    return Model(f"--layer {text}", (found,))


def _targets(names: tuple[str, ...]) -> list[Api]:
    """The APIs that are named, by their own names or their framework's; all where none is."""
    from harness.frameworks import registry

    apis = [api() for api in registry.apis()]
    known = sorted({name for api in apis for name in (api.framework, api.name) if name})
    for name in names:
        if name not in known:
            raise UsageError(f"--to {name}: is no framework and no API: known are {', '.join(known)}")
    return [api for api in apis if not names or api.framework in names or api.name in names]


def _missing(apis: Sequence[Api]) -> dict[str, str]:
    """The frameworks that are not installed, with the reason."""
    from harness.audit.text import first_mode
    from harness.frameworks import registry

    reasons = {str(api.framework): registry.missing(type(api), first_mode(api)) for api in apis}
    return {name: reason for name, reason in reasons.items() if reason is not None}


def _audited(
    found: Model, apis: Sequence[Api], missing: Mapping[str, str], input_size: tuple[int, ...] | None
) -> tuple[Audit, tuple[Port, ...]]:
    from harness.audit.audit import audit as conduct

    def said(text: str) -> None:
        click.echo(clean(text), err=True)

    return conduct(found, apis, input_size=input_size, missing=missing, said=said)


def _write(
    result: Audit,
    ports: Sequence[Port],
    json_path: str | None,
    html_path: Path | None,
    summary_path: Path | None,
    python_path: Path | None,
) -> None:
    import json

    from harness.audit.module import module
    from reports import audit_html, audit_markdown

    if python_path is not None:
        left_out = [layer.names[0] for layer in result.layers if not layer.is_portable]
        write("--python", python_path, module(result.source, ports, left_out))
    if html_path is not None:
        write("--html", html_path, audit_html.render(result))
    if summary_path is not None:
        write("--summary", summary_path, audit_markdown.render(result))
    if json_path is not None:
        write_json(json_path, json.dumps(result.to_json(), indent=2))


def _print(result: Audit) -> None:
    for layer in result.layers:
        click.echo(f"{clean(', '.join(layer.names))}: {clean(layer.call)}")
        click.echo(f"  input {layer.input_size} to output {layer.output_size}")
        for note in layer.notes:
            click.echo(f"  note: {clean(note)}")
        for target in layer.targets:
            _print_target(target)
    for name, reason in result.skipped:
        click.echo(f"skipped {clean(name)}: {clean(reason)}")
    done = sum(layer.is_portable for layer in result.layers)
    click.echo(f"{done} of {len(result.layers)} distinct layers are ported and proved; {len(result.skipped)} skipped")


def _print_target(target: TargetPort) -> None:
    naive = target.naive
    copied = "right" if naive.value_equal else f"wrong: {naive.reason}"
    click.echo(f"  {target.api}: {target.verdict.value}, {_proof(target)}")
    click.echo(f"    copying the words: {clean(copied)}")
    if target.reason is not None:
        click.echo(f"    {clean(target.reason)}")
    if target.call is not None:
        click.echo(f"    {clean(target.call)}")
        if target.after:
            click.echo(f"    then: {clean('; '.join(target.after))}")
        click.echo(f"    weight: {clean(str(target.weight))}")
        click.echo(f"    holds for {clean(str(target.holds))}")
    for other in target.others:
        click.echo(f"    {clean(other)}")


def _proof(target: TargetPort) -> str:
    proof = target.verified
    if proof.error is not None:
        return f"integers {proof.integers.value}: {clean(proof.error)}"
    ratio = "" if proof.bound_ratio is None else f", error {proof.bound_ratio:.2g} of the bound"
    return f"integers {proof.integers.value}{proof.where}{ratio}"
