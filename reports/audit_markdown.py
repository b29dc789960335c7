"""An audit for a pull request: Markdown, a table of the layers and, behind it, what each target needs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.ported import Audit, PortedLayer, TargetPort
from reports.markdown import LIMIT, as_code, as_text
from reports.text import clip

_BRIEF = 300


def render(audit: Audit) -> str:
    """The summary of an audit, below the size at which a forge drops it.

    >>> from harness.ported import Audit
    >>> render(Audit("model.onnx", ())).splitlines()[0]
    '## Transposed convolutions of model.onnx: 0 of 0 distinct layers ported and proved'
    """
    done = sum(layer.is_portable for layer in audit.layers)
    verdict = f"{done} of {len(audit.layers)} distinct layers ported and proved"
    blocks = [f"## Transposed convolutions of {as_text(audit.source)}: {verdict}"]
    blocks += ["\n".join(_table(audit.layers))] if audit.layers else []
    blocks += ["\n".join(f"- skipped {as_code(name)}: {as_text(reason)}" for name, reason in audit.skipped)]
    text, left = "", list(_details(audit.layers))
    while left and len((text + left[0]).encode()) < LIMIT - 20_000:
        text += left.pop(0)
    more = f"\n{len(left)} more layers: `deconvdiff audit --html FILE` shows them all.\n" if left else ""
    return "\n\n".join(block for block in blocks if block) + "\n" + text + more


def _table(layers: Sequence[PortedLayer]) -> Iterator[str]:
    yield "| layer | target | copying the words | recipe | integers | error / bound |"
    yield "|---|---|---|---|---|--:|"
    for layer in layers:
        for target in layer.targets:
            yield f"| {' | '.join(_row(layer, target))} |"


def _row(layer: PortedLayer, target: TargetPort) -> list[str]:
    naive, proof = target.naive, target.verified
    copied = "right" if naive.value_equal else f"wrong: {clip(naive.reason or '', _BRIEF)}"
    names = layer.names[0] + (f" and {len(layer.names) - 1} more" if len(layer.names) > 1 else "")
    said = target.verdict.value + (f": {clip(target.reason, _BRIEF)}" if target.reason else "")
    ratio = "" if proof.bound_ratio is None else f"{proof.bound_ratio:.2g}"
    return [as_code(names), as_code(target.api), as_text(copied), as_text(said), proof.integers.value, ratio]


def _details(layers: Sequence[PortedLayer]) -> Iterator[str]:
    for layer in layers:
        lines = [
            f"\n### {as_code(', '.join(layer.names))}",
            f"{as_code(layer.call)}: {layer.input_size} to {layer.output_size}",
        ]
        lines += [f"- {as_text(note)}" for note in layer.notes]
        lines += [block for target in layer.targets for block in _target(target)]
        yield "\n\n".join(lines) + "\n"


def _target(target: TargetPort) -> Iterator[str]:
    if target.snippet is None or target.call is None:
        return
    fence = "```" if "```" not in target.snippet else "~~~~"
    summary = f"<details><summary>{as_text(target.api)}: {as_text(target.holds or '')}</summary>"
    yield f"{summary}\n\n{as_code(target.call)}\n\n{fence}python\n{target.snippet}{fence}\n\n</details>"
