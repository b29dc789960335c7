"""The statements: folk rules and documented claims about sizes and values, each with its source, domain and check.

n is the transposed convolution's input, m its output (and the forward convolution's
input), e the dilated kernel's extent. A verdict that stands here is what is recorded, never what is reported.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from harness.records import Rule
from harness.rules.appended import appends_bias, appends_computed, ask_three, by_gathering
from harness.rules.calls import (
    JAX,
    KERAS,
    TF,
    TORCH,
    answer_is,
    api,
    exactly,
    leads_back,
    right,
    size,
    size_is,
    two_sizes,
    two_sizes_lead_back,
)
from harness.rules.checks import (
    arrays,
    convolved,
    counted_size,
    each,
    forward,
    full,
    is_multiple,
    layer,
    leads_back_from_these,
    leads_back_from_two,
    output,
    transposed,
)
from harness.rules.given import (
    forward_sized,
    forward_sized_same,
    keras_formula,
    multiplied,
    padded_half,
    padded_half_extent,
    padded_rest,
    sized,
)
from harness.rules.same import (
    accepted_is_quotient,
    crop_is,
    crop_of,
    cropped,
    onnx_agrees,
    onnx_lower,
    onnx_upper,
    same,
    same_agrees,
    same_has_these_values,
    same_of_any_size,
)
from harness.rules.statement import Asking, Row, Statement, Verdict

_TORCH_URL = "https://docs.pytorch.org/docs/stable/generated/torch.nn.ConvTranspose2d.html"
_GUIDE = "Dumoulin and Visin, A guide to convolution arithmetic for deep learning"
_GUIDE_URL = "https://arxiv.org/abs/1603.07285"
_ONNX_URL = "https://onnx.ai/onnx/operators/onnx__ConvTranspose.html"
_ONNX = Rule(
    "SAME_UPPER: the begin gets total_padding / 2, the end the rest; SAME_LOWER: the other way round", _ONNX_URL
)
#: what PyTorch accepts, and some output is left
_LEGAL = "((a < s) | (a < d)) & (m >= 1)"


def upto(most: int, least: int = 1) -> range:
    """The values of a coordinate."""
    return range(least, most + 1)


def _without_dilation(one: Row) -> int:
    return (one["n"] - 1) * one["s"] - 2 * one["p"] + one["k"] + one["a"]


def _multiple(one: Row) -> int:
    return one["n"] * one["s"]


STATEMENTS = (
    Statement(
        1,
        "With a stride above 1 several input sizes convolve to the same size (7 and 8 to 3), so that a transposed "
        "convolution of 3 may be 7 or 8",
        Rule("when stride > 1, Conv2d maps multiple input shapes to the same output shape", _TORCH_URL),
        "s > 1, and some output is left",
        {"n": upto(6), "k": upto(5), "s": upto(5, 2), "p": upto(3, 0), "d": upto(3)},
        leads_back_from_two,
        Asking(two_sizes, two_sizes_lead_back),
        within="(s > 1) & (m >= 1)",
        given=sized,
        # With an even k Keras documents a size for output_padding = 0 that its TensorFlow backend refuses: see 14.
        observed={KERAS: Verdict.FAILS},
    ),
    Statement(
        2,
        "With p = 1, k = 3, s = 2 a size n may become 2n - 1 or 2n, and nothing else (3: 5 or 6)",
        Rule("output_padding is provided to resolve this ambiguity", _TORCH_URL),
        "p = 1, k = 3, s = 2, d = 1",
        {"n": upto(128), "k": (3,), "s": (2,), "p": (1,)},
        leads_back_from_these,
        Asking(
            two_sizes,
            lambda one, _, answers: [size(answer) for answer in answers] == [2 * one["n"] - 1, 2 * one["n"]],
        ),
        given=sized,
    ),
    Statement(
        3,
        "out = (n - 1) s - 2 p + k + a, with and without dilation",
        Rule("n* = (n - 1) s + k - 2 p", "https://weili-git.github.io/2022/04/transposed-convolution"),
        "what PyTorch accepts and leaves some output",
        {"n": upto(5), "k": upto(5), "s": upto(4), "p": upto(3, 0), "a": upto(3, 0), "d": upto(4)},
        lambda columns: (
            columns["m"] == (columns["n"] - 1) * columns["s"] - 2 * columns["p"] + columns["k"] + columns["a"]
        ),
        Asking(lambda of, one: exactly(of, layer(one), one["n"]), size_is(_without_dilation), (TORCH,)),
        Verdict.CONDITIONAL,
        "(d == 1) | (k == 1)",
        _LEGAL,
        sized,
    ),
    Statement(
        4,
        "A stride above 1 is the same as inserting s - 1 zeros between the inputs and convolving at stride 1",
        Rule(f"{_GUIDE}, section 4.5: no zero padding, non-unit strides, transposed", _GUIDE_URL),
        "s > 1, p < e (so that the convolution pads by e - 1 - p), some output is left; values",
        {"n": upto(5), "k": upto(4), "s": upto(4, 2), "p": upto(4, 0), "d": upto(3)},
        each(lambda one: np.array_equal(output(arrays(one), layer(one)), convolved(arrays(one), one))),
        Asking(
            lambda of, one: exactly(of, layer(one), one["n"]),
            answer_is(lambda one: convolved(arrays(one), one)),
        ),
        within="(s > 1) & (p < e) & (m >= 1)",
        given=sized,
    ),
    Statement(
        5,
        "padding = (k - 1) // 2 with output_padding = s - 1 keeps out = n s",
        Rule(
            "output_padding is usually stride - 1, and padding (kernel_size - 1) / 2",
            "https://blog.csdn.net/langtaosha1996/article/details/106847003",
        ),
        "d = 1",
        {"n": upto(8), "k": upto(9), "s": upto(6), "d": (1,)},
        is_multiple,
        Asking(lambda of, one: exactly(of, layer(one), one["n"]), size_is(_multiple), (TORCH,)),
        Verdict.CONDITIONAL,
        "k % 2 == 1",
        given=padded_half,
    ),
    Statement(
        6,
        "padding = (k - s) // 2 with output_padding = 0 keeps out = n s",
        Rule(
            "ConvTranspose1d(..., k, u, padding=(k-u)//2), as vocoders upsample",
            "https://github.com/jik876/hifi-gan/blob/master/models.py",
        ),
        "k >= s, d = 1",
        {"n": upto(8), "k": upto(9), "s": upto(6), "d": (1,)},
        is_multiple,
        Asking(lambda of, one: exactly(of, layer(one), one["n"]), size_is(_multiple), (TORCH,)),
        Verdict.CONDITIONAL,
        "(k - s) % 2 == 0",
        "k >= s",
        padded_rest,
    ),
    Statement(
        7,
        "output_padding does not matter at stride 1: whatever PyTorch accepts there gives a size that the forward "
        "convolution takes back",
        Rule("output padding must be smaller than either stride or dilation", _TORCH_URL),
        "s = 1, what PyTorch accepts and leaves some output",
        {"n": upto(6), "k": upto(5), "s": (1,), "p": upto(3, 0), "a": upto(3, 0), "d": upto(4)},
        lambda columns: forward(columns, columns["m"]) == columns["n"],
        Asking(
            lambda of, one: exactly(of, layer(one), one["n"]),
            # What is refused does not matter, either.
            lambda one, _, answers: None if answers[0] is None else leads_back(one, size(answers[0])),
            (TORCH,),
        ),
        Verdict.CONDITIONAL,
        "a == 0",
        _LEGAL,
        sized,
    ),
    Statement(
        8,
        "A same convolution of a size m at stride s gives m / s (6 to 3)",
        Rule(f"{_GUIDE}, sections 2.2.1 and 2.4: half (same) padding", _GUIDE_URL),
        "padding (k - 1) / 2 with odd k, d = 1",
        {"m": upto(30), "k": (1, 3, 5, 7), "s": upto(6)},
        is_multiple,
        Asking(same_of_any_size, accepted_is_quotient, (TF,)),
        Verdict.CONDITIONAL,
        "m % s == 0",
        "k % 2 == 1",
        given=forward_sized_same,
    ),
    Statement(
        9,
        "full is the transpose of valid",
        Rule(f"{_GUIDE}, sections 4.1 to 4.3: the transpose of the convolution's matrix", _GUIDE_URL),
        "p = 0, a = 0; values",
        {"n": upto(5), "k": upto(4), "s": upto(4), "d": upto(3)},
        each(lambda one: np.array_equal(output(arrays(one), full(one)), transposed(arrays(one), one))),
        Asking(
            lambda of, one: exactly(of, full(one), one["n"]),
            answer_is(lambda one: transposed(arrays(one), one)),
        ),
        given=sized,
    ),
    Statement(
        10,
        "output_padding appends computed values, not zeros, and on one side only",
        Rule(
            "output_padding is only used to find output shape, but does not actually add zero-padding to output",
            _TORCH_URL,
        ),
        "a > 0, what PyTorch accepts, some output is left without it, too; values",
        {"n": upto(4), "k": upto(4), "s": upto(4), "p": upto(3, 0), "a": upto(3), "d": upto(2)},
        each(lambda one: appends_computed(one, by_gathering(one))),
        Asking(ask_three, lambda one, _, answers: appends_computed(one, answers), (TORCH,)),
        Verdict.CONDITIONAL,
        "a <= p",
        "(a > 0) & ((a < s) | (a < d)) & (m > a)",
        sized,
    ),
    Statement(
        11,
        "ONNX's SAME_UPPER and SAME_LOWER, TensorFlow's SAME and JAX's SAME put the odd crop on the same side",
        _ONNX,
        "e >= s, out = n s",
        {"n": upto(4), "k": upto(6), "s": upto(6), "d": upto(3)},
        each(lambda one: onnx_agrees(one, lower=True)),
        Asking(
            lambda of, one: same(of, one, one["m"]),
            crop_is(onnx_upper, onnx_lower),
            (TF, JAX),
        ),
        Verdict.CONDITIONAL,
        "(e - s) % 2 == 0",
        "e >= s",
        multiplied,
    ),
    Statement(
        12,
        "Conv then ConvTranspose with the same arguments restores the size",
        Rule(
            "when a Conv2d and a ConvTranspose2d are initialized with same parameters, they are inverses of each other "
            "in regard to the input and output shapes",
            _TORCH_URL,
        ),
        "both leave some output, a is what PyTorch accepts",
        {"m": upto(10), "k": upto(4), "s": upto(4), "p": upto(3, 0), "a": upto(3, 0), "d": upto(3)},
        lambda columns: counted_size(columns) == columns["m"],
        Asking(
            lambda of, one: exactly(of, layer(one), one["n"]),
            size_is(lambda one: one["m"]),
            (TORCH,),
        ),
        Verdict.CONDITIONAL,
        "a == (m + 2 * p - e) % s",
        "((a < s) | (a < d)) & (n >= 1) & ((n - 1) * s + e - 2 * p + a >= 1)",
        forward_sized,
    ),
    Statement(
        13,
        "JAX's SAME and TensorFlow's SAME agree for every k, s, d",
        Rule(
            "'SAME' and 'VALID' strings are interpreted as the padding of the corresponding forward conv",
            "https://docs.jax.dev/en/latest/_autosummary/jax.lax.conv_transpose.html",
        ),
        "out = n s",
        {"n": upto(4), "k": upto(7), "s": upto(6), "d": upto(3)},
        each(same_agrees),
        Asking(
            lambda of, one: same(of, one, one["m"]),
            crop_is(partial(crop_of, TF), partial(crop_of, JAX)),
            (TF, JAX),
        ),
        given=multiplied,
    ),
    Statement(
        14,
        "With padding='same' an output_padding gives Keras's documented size, "
        "(n - 1) s + k - 2 padding + output_padding with padding = k // 2",
        Rule(
            "new_rows = ((rows - 1) * strides[0] + kernel_size[0] - 2 * padding[0] + output_padding[0])",
            "https://www.tensorflow.org/versions/r2.11/api_docs/python/tf/keras/layers/Conv2DTranspose",
        ),
        "a < s, d = 1, some output is left; decided by what TensorFlow's SAME takes",
        {"n": upto(5), "k": upto(7), "s": upto(5), "a": upto(4, 0)},
        each(lambda one: bool(same(api(TF), one, one["m"]))),
        Asking(
            lambda of, one: same(of, one, one["m"], added=True),
            size_is(lambda one: one["m"]),
            (KERAS,),
            every_mode=True,
        ),
        Verdict.CONDITIONAL,
        "(k % 2 == 1) | (a > 0)",
        "(a < s) & (m >= 1)",
        keras_formula,
        # Neither of these backends asks a forward convolution whether it leads back.
        {f"{KERAS}+jax": Verdict.HOLDS, f"{KERAS}+torch": Verdict.HOLDS},
    ),
    Statement(
        15,
        "Two APIs that give the same output size give the same values: PyTorch's p and a against SAME",
        Rule(
            "Because in Torch the output_padding can only be added to the right, consistency with Tensorflow is not "
            "always possible",
            "https://github.com/keras-team/keras/blob/master/keras/src/backend/common/backend_utils.py",
        ),
        "d = 1, PyTorch's a < s, and a size that SAME has; values",
        {"n": upto(4), "k": upto(6), "s": upto(4), "p": upto(4, 0), "a": upto(3, 0)},
        each(same_has_these_values),
        Asking(
            lambda of, one: (
                exactly(of, layer(one), one["n"]) if of is not None and of.name == TORCH else same(of, one, one["m"])
            ),
            answer_is(right(layer), right(lambda one: cropped(one, crop_of(TF, one)))),
            (TORCH, JAX, TF, KERAS),
        ),
        Verdict.CONDITIONAL,
        "(a == 0) | (p == 0)",
        "(a < s) & (m > (n - 1) * s) & (m <= n * s)",
        sized,
    ),
    Statement(
        16,
        "padding = d (k - 1) // 2 with output_padding = s - 1 keeps out = n s (5 for every dilation)",
        Rule(f"{_GUIDE}, section 5.1 with half padding of the dilated kernel", _GUIDE_URL),
        "every dilation",
        {"n": upto(6), "k": upto(7), "s": upto(5), "d": upto(4)},
        is_multiple,
        Asking(lambda of, one: exactly(of, layer(one), one["n"]), size_is(_multiple), (TORCH,)),
        Verdict.CONDITIONAL,
        "e % 2 == 1",
        given=padded_half_extent,
    ),
    Statement(
        17,
        "What output_padding appends beyond the padding is zeros, plus the bias",
        Rule("output_padding: additional size added to one side of the output shape", _TORCH_URL),
        "a > p, what PyTorch accepts, some output is left without it, too; values",
        {"n": upto(4), "k": upto(4), "s": upto(5), "p": upto(3, 0), "a": upto(4), "d": upto(2)},
        each(lambda one: appends_bias(one, by_gathering(one))),
        Asking(ask_three, lambda one, _, answers: appends_bias(one, answers), (TORCH,)),
        within="(a > p) & ((a < s) | (a < d)) & (m > a)",
        given=sized,
    ),
    Statement(
        18,
        "ONNX's SAME_UPPER, TensorFlow's SAME and JAX's SAME put the odd crop on the same side",
        _ONNX,
        "e >= s, out = n s",
        {"n": upto(4), "k": upto(6), "s": upto(6), "d": upto(3)},
        each(lambda one: onnx_agrees(one, lower=False)),
        Asking(
            lambda of, one: same(of, one, one["m"]),
            crop_is(onnx_upper),
            (TF, JAX),
        ),
        within="e >= s",
        given=multiplied,
    ),
)
