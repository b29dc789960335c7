"""``jax.lax.conv_transpose`` and ``jax.lax.conv_general_dilated``.

Pairs ``(pa, pb)`` pad the zero-inserted input: ``lo = e - 1 - pa``, ``hi = e - 1 - pb``. With
``use_consistent_padding=True`` they are the forward convolution's, ``lo = pl``, ``hi = ph``. The kernel is correlated
as it stands unless ``transpose_kernel=True``. How they are run stands in ``lax.py``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from harness.frameworks.base import (
    Absent,
    Declined,
    Flag,
    Integers,
    Pairs,
    Parameter,
    Role,
    Words,
    per_axis,
)
from harness.frameworks.lax import Lax, Transposing, crops_of_pairs, crops_of_word, padding_pairs
from harness.layer import Crop, Layer, Spelling
from harness.layout import Layout
from harness.records import Forward, Illegal, Orientation, Resolved, Rule, Size, Unspecified
from harness.writing import Signature, keywords

_URL = "https://docs.jax.dev/en/latest/_autosummary/jax.lax.conv_transpose.html"
_URL_GENERAL = "https://docs.jax.dev/en/latest/_autosummary/jax.lax.conv_general_dilated.html"
_FORWARD = Rule("'SAME' and 'VALID' strings are interpreted as the padding of the corresponding forward conv", _URL)
_CONSISTENT = Rule(
    "With use_consistent_padding=True, padding is interpreted as the padding of the corresponding forward conv, so "
    "that conv_transpose becomes the gradient of conv when given the same padding and stride arguments.",
    _URL,
)
_GROUPS = Rule("feature_group_count must divide the channels of the input and of the output", _URL_GENERAL)
_LAYOUTS = {1: ("NHC", "HIO", "NHC"), 2: ("NHWC", "HWIO", "NHWC"), 3: ("NHWDC", "HWDIO", "NHWDC")}


class _Jax(Lax):
    """What the two functions share: no bias."""

    framework = "jax"
    distributions = ("jax",)
    module = "jax"
    extra = "jax"

    def version(self) -> str | None:
        """Version of the loaded jax."""
        import jax

        return str(jax.__version__)


#: where the axes of the arrays stand is not what is computed of them
_BESIDE: Mapping[str, tuple[Any, ...]] = {"dimension_numbers": (), "precision": (), "preferred_element_type": ()}


class ConvTranspose(_Jax, Transposing):
    """``jax.lax.conv_transpose``: pairs, SAME, VALID; no groups."""

    name = "jax.lax.conv_transpose"
    documentation = _URL
    parameters = (
        Parameter("in_channels", Role.IN_CHANNELS, (Integers(1, per_axis=False),), carried=True),
        Parameter("out_channels", Role.OUT_CHANNELS, (Integers(1, per_axis=False),), carried=True),
        Parameter("kernel_size", Role.KERNEL_SIZE, (Integers(1),), carried=True),
        Parameter("strides", Role.STRIDE, (Integers(1),)),
        Parameter(
            "padding",
            Role.PADDING,
            (Pairs(None), Words({"SAME": "forward SAME, n*s", "VALID": "forward VALID, n*s + max(e - s, 0)"})),
        ),
        Parameter("rhs_dilation", Role.DILATION, (Integers(1), Absent("1"))),
        Parameter("transpose_kernel", Role.ORIENTATION, (Flag(), Absent("False: correlate"))),
        Parameter("use_consistent_padding", Role.CONVENTION, (Flag(), Absent("False: pad the zero-inserted input"))),
    )

    signature = Signature(
        {"conv_transpose": None},
        ("lhs", "rhs", "strides", "padding", "rhs_dilation", "dimension_numbers", "transpose_kernel", "precision"),
        arrays=("lhs", "rhs"),
        weight="rhs",
        beside=_BESIDE,
    )

    def resolve(self, spelling: Spelling, input_size: Size) -> Resolved | Illegal | Unspecified:
        """Strings and consistent pairs by the forward convolution, other pairs on the zero-inserted input."""
        ndim = len(input_size)
        if violation := self.violation(spelling, ndim):
            return violation
        layer = Layer(
            spelling["in_channels"],
            spelling["out_channels"],
            spelling["kernel_size"],
            spelling["strides"],
            dilation=spelling.get("rhs_dilation") or 1,
            bias=False,
            ndim=ndim,
        )
        cropped = self._cropped(layer, self._crops(layer, spelling), input_size)
        if isinstance(cropped, Illegal):
            return cropped
        kernel = Orientation.TRANSPOSED if spelling.get("transpose_kernel") else Orientation.CORRELATION
        return Resolved(cropped, kernel, _forward(spelling, cropped))

    def widest(self, layer: Layer, input_size: Size) -> Spelling:
        """Pairs reach every crop."""
        return self._spell(layer, padding_pairs(layer, input_size))

    def _crops(self, layer: Layer, spelling: Spelling) -> tuple[Crop, ...]:
        padding = spelling["padding"]
        if isinstance(padding, str):
            return crops_of_word(layer, padding)
        if spelling.get("use_consistent_padding"):
            return tuple(map(Crop._make, padding))
        return crops_of_pairs(layer, padding)

    def _spell(self, layer: Layer, padding: Any) -> Spelling:
        return Spelling(
            self.name,
            {
                "in_channels": layer.in_channels,
                "out_channels": layer.out_channels,
                "kernel_size": layer.kernel_size,
                "strides": layer.stride,
                "padding": padding,
                "rhs_dilation": layer.dilation,
            },
        )

    def _written(self, spelling: Spelling, ndim: int, *, bias: bool) -> str:  # no bias argument
        names = ("transpose_kernel", "use_consistent_padding")
        options = {k: v for k, v in spelling.arguments if k in names and v is not None}
        strides, padding = per_axis(spelling["strides"], ndim), spelling["padding"]
        others = keywords({**_dilation(spelling, ndim), "dimension_numbers": _LAYOUTS[ndim], **options})
        return f"jax.lax.conv_transpose(x, weight, {strides}, {padding!r}, {others})"

    def _function(self, spelling: Spelling, ndim: int) -> Any:
        import jax

        options = {
            k: v for k, v in spelling.arguments if k in ("transpose_kernel", "use_consistent_padding") and v is not None
        }
        if missing := [name for name in options if name not in _known_arguments()]:
            raise Declined(f"jax {jax.__version__} has no argument {missing[0]}")
        dilation = spelling.get("rhs_dilation")

        def function(x: Any, weight: Any) -> Any:
            return jax.lax.conv_transpose(
                x,
                weight,
                per_axis(spelling["strides"], ndim),
                spelling["padding"],
                rhs_dilation=None if dilation is None else per_axis(dilation, ndim),
                dimension_numbers=_LAYOUTS[ndim],
                **options,
            )

        return function


class ConvGeneralDilated(_Jax):
    """``jax.lax.conv_general_dilated`` with ``lhs_dilation``: every layer, groups too."""

    name = "jax.lax.conv_general_dilated"
    documentation = _URL_GENERAL
    parameters = (
        Parameter("in_channels", Role.IN_CHANNELS, (Integers(1, per_axis=False),), carried=True),
        Parameter("out_channels", Role.OUT_CHANNELS, (Integers(1, per_axis=False),), carried=True),
        Parameter("kernel_size", Role.KERNEL_SIZE, (Integers(1),), carried=True),
        Parameter("padding", Role.PADDING, (Pairs(None),)),
        Parameter("lhs_dilation", Role.STRIDE, (Integers(1),)),
        Parameter("rhs_dilation", Role.DILATION, (Integers(1), Absent("1"))),
        Parameter("feature_group_count", Role.GROUPS, (Integers(1, per_axis=False), Absent("1"))),
    )

    signature = Signature(
        {"conv_general_dilated": None},
        (
            *("lhs", "rhs", "window_strides", "padding", "lhs_dilation", "rhs_dilation", "dimension_numbers"),
            *("feature_group_count", "batch_group_count", "precision"),
        ),
        arrays=("lhs", "rhs"),
        weight="rhs",
        beside={**_BESIDE, "window_strides": (None, 1, (1,), (1, 1), (1, 1, 1)), "batch_group_count": (1,)},
    )

    def resolve(self, spelling: Spelling, input_size: Size) -> Resolved | Illegal | Unspecified:
        """Pairs pad the zero-inserted input; the kernel is correlated; there is no forward twin."""
        ndim = len(input_size)
        if violation := self.violation(spelling, ndim):
            return violation
        groups = spelling.get("feature_group_count") or 1
        if spelling["in_channels"] % groups or spelling["out_channels"] % groups:
            return Illegal("groups do not divide the channels", _GROUPS)
        layer = Layer(
            spelling["in_channels"],
            spelling["out_channels"],
            spelling["kernel_size"],
            spelling["lhs_dilation"],
            dilation=spelling.get("rhs_dilation") or 1,
            groups=groups,
            bias=False,
            ndim=ndim,
        )
        cropped = self._cropped(layer, crops_of_pairs(layer, spelling["padding"]), input_size)
        return cropped if isinstance(cropped, Illegal) else Resolved(cropped, Orientation.CORRELATION)

    def candidates(self, layer: Layer, input_size: Size) -> Iterator[Spelling]:
        """One wording reaches every crop."""
        yield self.widest(layer, input_size)

    def widest(self, layer: Layer, input_size: Size) -> Spelling:
        """Pairs reach every crop."""
        return Spelling(
            self.name,
            {
                "in_channels": layer.in_channels,
                "out_channels": layer.out_channels,
                "kernel_size": layer.kernel_size,
                "padding": padding_pairs(layer, input_size),
                "lhs_dilation": layer.stride,
                "rhs_dilation": layer.dilation,
                "feature_group_count": layer.groups,
            },
        )

    def layout(self, spelling: Spelling) -> Layout:
        """``(*k, C_in / groups, C_out)``, flipped: the kernel is that of a correlation."""
        return Layout("*IO", flipped=True, divided="I")

    def _written(self, spelling: Spelling, ndim: int, *, bias: bool) -> str:  # no bias argument
        groups = spelling.get("feature_group_count")
        others = {
            "lhs_dilation": per_axis(spelling["lhs_dilation"], ndim),
            **_dilation(spelling, ndim),
            "dimension_numbers": _LAYOUTS[ndim],
            **({} if groups is None else {"feature_group_count": groups}),
        }
        return f"jax.lax.conv_general_dilated(x, weight, {(1,) * ndim}, {spelling['padding']!r}, {keywords(others)})"

    def _function(self, spelling: Spelling, ndim: int) -> Any:
        import jax

        dilation = spelling.get("rhs_dilation")

        def function(x: Any, weight: Any) -> Any:
            return jax.lax.conv_general_dilated(
                x,
                weight,
                (1,) * ndim,
                spelling["padding"],
                lhs_dilation=per_axis(spelling["lhs_dilation"], ndim),
                rhs_dilation=None if dilation is None else per_axis(dilation, ndim),
                dimension_numbers=_LAYOUTS[ndim],
                feature_group_count=1
                if spelling.get("feature_group_count") is None
                else spelling["feature_group_count"],
            )

        return function


APIS = (ConvTranspose, ConvGeneralDilated)


@cache
def _known_arguments() -> tuple[str, ...]:
    import inspect

    import jax

    return tuple(inspect.signature(jax.lax.conv_transpose).parameters)


def _dilation(spelling: Spelling, ndim: int) -> dict[str, tuple[int, ...]]:
    dilation = spelling.get("rhs_dilation")
    return {} if dilation is None else {"rhs_dilation": per_axis(dilation, ndim)}


def _forward(spelling: Spelling, layer: Layer) -> Forward | None:
    padding = spelling["padding"]
    if padding == "SAME":
        return Forward(None, _FORWARD)
    if padding == "VALID":
        return Forward((0,) * layer.ndim, _FORWARD)
    if spelling.get("use_consistent_padding"):
        return Forward(tuple(pl + ph for pl, ph in padding), _CONSISTENT)
    return None
