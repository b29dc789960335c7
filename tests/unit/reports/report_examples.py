"""A run made by hand: several targets, a finding of every class, and hostile text wherever text can be."""

from __future__ import annotations

from dataclasses import replace

from harness.layer import Case, Crop, Layer, Spelling
from harness.records import (
    ApiSizes,
    AxisSizes,
    Finding,
    FirstDifference,
    OwnRule,
    Reach,
    Report,
    Rule,
    Run,
    SizeTable,
    Support,
    Target,
    TargetInfo,
    TargetTotals,
    WorkerUse,
)

SCRIPT = "<script>alert(1)</script>"
HANDLER = '"><img src=x onerror=alert(2)>'
ANSI = "\x1b[31mred\x1b[0m"
OVERRIDE = "abc\u202efdp.exe"
TEMPLATE = "{{ 7*7 }}{% raw %}"
XML = "]]><!-- &#0; &nbsp; --><?php \ufffe\x7f\uffff"
MARKDOWN = (
    "| `a` ```` [b](http://c.d) ![e](https://f.g) @me #1 GH-2 **h** __i__ ~~j~~ $k$ :tada: www.l.m n@o.p \\| \n\n"
    "# q\n- r\n\n```\n</details>\n---\n"
)
HOSTILE = (
    *(SCRIPT, HANDLER, ANSI, OVERRIDE, TEMPLATE, "</style></title></pre>", "\x00\x07\u2028\u2066\ufeff\ud800"),
    *(XML, MARKDOWN),
)

LAYER = Layer(2, 3, kernel_size=(3, 3), stride=(2, 2), padding=(1, 1), output_padding=(1, 1))
CASE = Case(LAYER, batch=1, input_size=(4, 4), seed=7)
MINIMAL = Case(Layer(1, 1, kernel_size=2, stride=1, dilation=2, ndim=1), input_size=(1,), seed=7)
SPELLED = Case.spelled(
    Spelling("torch.nn.ConvTranspose", {"kernel_size": [3], "stride": [2], "output_padding": [2], "dilation": [3]}),
    input_size=(3,),
)

TORCH = Target("torch.nn.ConvTranspose", "eager")
COMPILED = Target("torch.nn.ConvTranspose", "compile")
JAX = Target("jax.lax.conv_transpose", "jit")
GENERAL = Target("jax.lax.conv_general_dilated", "jit")
TENSORFLOW = Target("tf.nn.conv_transpose", "eager")
KERAS = Target("keras.layers.ConvTranspose", "eager")
OLD = Target("torch.nn.ConvTranspose", "eager", environment="old")
PADDLE = Target("paddle.nn.ConvTranspose", "eager")
COMMON = {"OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "2"}
WORKERS = (
    WorkerUse("harness.frameworks.torch", 137.2, 118.9, 413_000_000),
    WorkerUse("harness.frameworks.tensorflow", 136.0, 34.0, 3 * 2**30),
)
OBSERVED = (TORCH, COMPILED, JAX, GENERAL, TENSORFLOW, KERAS)


def run(**changes: object) -> Run:
    """A finished run."""
    finished = Run(
        id="20260104-031502-8f2c",
        started="2026-01-04T03:15:02Z",
        finished="2026-01-04T03:17:19Z",
        seed=20260104,
        profile="default",
        platform="Linux-6.1 x86_64, Python 3.11.7, NumPy 2.3.5",
        version="0.1.0",
        command="deconvdiff fuzz --cases 300 --seed 20260104",
    )
    return replace(finished, **changes)  # type: ignore[arg-type]  # fields by name, as a test writes them


def empty() -> Report:
    """A run that observed nothing at all."""
    return Report(run(), (), 0, 0.0, {}, {}, (), {})


def clear() -> Report:
    """A run of 300 cases without a finding."""
    totals = {name: replace(target, disagree=0) for name, target in full().totals.items()}
    return replace(full(), findings=(), totals=totals)


def full() -> Report:
    """A run with every kind of thing to show."""
    names = [target.name for target in OBSERVED]
    pairs = {(a, b): (290, 290) for i, a in enumerate(names) for b in names[i + 1 :]}
    pairs |= {(TORCH.name, JAX.name): (118, 120), (TORCH.name, TENSORFLOW.name): (1, 3)}
    pairs |= {(COMPILED.name, KERAS.name): (0, 0), (JAX.name, KERAS.name): (2399, 2400)}
    pairs |= {(JAX.name, TENSORFLOW.name): (0, 12), (COMPILED.name, JAX.name): (26, 30)}
    return Report(
        run=run(workers=WORKERS),
        targets=_targets(),
        cases=300,
        seconds=137.25,
        totals={target.name: _totals(i) for i, target in enumerate(OBSERVED)},
        pairs=pairs,
        findings=findings(),
        skips={
            TENSORFLOW.name: {f"stride {i} with dilation {j}": 40 - i - j for i in (2, 3, 4) for j in (2, 3, 4, 5)},
            JAX.name: {f"groups > 1 {SCRIPT}": 12},
        },
    )


def many(n: int) -> Report:
    """The full example with n findings, of every kind in turn."""
    kinds = findings()
    return replace(full(), findings=tuple(replace(kinds[i % 4], id=f"{i:012x}") for i in range(n)))


def judged(*statuses: str) -> Report:
    """The full example with one finding for each status given, told apart by their ids."""
    return replace(
        full(), findings=tuple(replace(_value(), id=f"{i:012x}", status=status) for i, status in enumerate(statuses))
    )


def findings() -> tuple[Finding, ...]:
    """One finding each about acceptance, size, value and a crash, not in the order of gravity."""
    return (_acceptance(), _size(), _value(), _crash())


def hostile_everywhere(text: str) -> tuple[Report, list[SizeTable]]:
    """A report in which every text that can come from outside is ``text``."""
    target = Target(text, text, text, text)
    finding = replace(
        _value(),
        oracle=text,
        kind=text,
        verdict=text,
        suspect=text,
        sentence=text,
        call=text,
        cause=text,
        log_tail=text,
        reproduce=text,
        targets=(text,),
        agreeing=(text,),
        status=text,
        baseline_id=text,
        facets={text: (text,)},
        condition=text,
        case={text: text, "layer": {text: [text]}},
        minimal={"spelling": text},
        rule=Rule(text, text),
        first_difference=FirstDifference((0,), 1.0, 2.0, text, text),
    )
    named, accepted = replace(finding, id=text), replace(finding, id="0a1b2c3d4e5f", status="known", support=None)
    whole = run(**dict.fromkeys(("id", "started", "finished", "profile", "shard", "platform", "version"), text))
    report = Report(
        run=replace(whole, command=text, workers=(WorkerUse(text, 1.0, 0.5, 2**20),)),
        targets=(
            TargetInfo(target, text, text, available=True, settings={text: text}),
            TargetInfo(replace(target, api=text + "2"), text, text, available=False, reason=text),
        ),
        cases=3,
        seconds=1.0,
        totals={target.name: _totals(0)},
        pairs={(target.name, text): (1, 2)},
        findings=(finding, named, accepted),
        skips={target.name: {text: 3}},
    )
    reach = {7: Reach({text: text}, text, Crop(0, 0), same_crop=True)}
    own = OwnRule(text, (7, 8), Rule(text, text))
    axis = AxisSizes(
        0, 3, (7, 8), FULL, (ApiSizes(text, 7, reach, (8,), rules=(own,)), ApiSizes(text, None, {}, (7, 8), limit=text))
    )
    return report, [SizeTable(Layer(kernel_size=3, stride=2, ndim=1), (axis,))]


#: the asked crops of the worked example, 7 and 8
FULL = Crop(0, 0), Crop(0, -1)


def size_tables() -> list[SizeTable]:
    """The worked example in one dimension, and a layer with two different axes and one default that is not valid."""
    example = Layer(kernel_size=3, stride=2, ndim=1)
    torch = {
        7: Reach({"stride": 2}, "ConvTranspose1d(1, 1, 3, stride=2)", Crop(0, 0), same_crop=True),
        8: Reach({"stride": 2, "output_padding": 1}, f"ConvTranspose1d(…) {HANDLER}", Crop(0, -1), same_crop=True),
    }
    jax = {
        7: Reach({"strides": (2,), "padding": "VALID"}, "conv_transpose(…, 'VALID')", Crop(0, 0), same_crop=True),
        8: Reach({"strides": (2,), "padding": ((3, 2),)}, "conv_transpose(…)", Crop(-1, 0), same_crop=False),
    }
    tensorflow = {
        m: Reach({"output_shape": m, "padding": "VALID"}, f"conv_transpose(…, {m})", Crop(0, 7 - m), same_crop=True)
        for m in (7, 8)
    }
    keras = {7: Reach({"padding": "valid"}, "Conv1DTranspose(1, 3, 2)", Crop(0, 0), same_crop=True)}
    apis = (
        ApiSizes("torch.nn.ConvTranspose", 7, torch, ()),
        ApiSizes("jax.lax.conv_transpose", 7, jax, ()),
        ApiSizes("tf.nn.conv_transpose", None, tensorflow, ()),
        ApiSizes("keras.layers.ConvTranspose", 7, keras, (8,)),
    )
    return [SizeTable(example, (AxisSizes(0, 3, (7, 8), FULL, apis),)), _two_axes()]


def _two_axes() -> SizeTable:
    layer = Layer(2, 3, kernel_size=(3, 4), stride=(2, 3), padding=1)
    torch = {m: Reach({"output_padding": m - 7}, "…", Crop(1, 8 - m), same_crop=True) for m in (7, 8)}
    same = {8: Reach({"padding": "SAME"}, "…", Crop(0, 1), same_crop=False)}
    first = AxisSizes(
        0, 4, (7, 8), (Crop(1, 1), Crop(1, 0)), (ApiSizes("torch", 7, torch, ()), ApiSizes("jax", 8, same, (7,)))
    )
    wide = {m: Reach({"output_padding": m - 11}, "…", Crop(1, 12 - m), same_crop=True) for m in (11, 12, 13)}
    beyond = ApiSizes("jax", 14, {14: Reach({"padding": "VALID"}, "…", Crop(0, -1), same_crop=False)}, (11, 12, 13))
    return SizeTable(
        layer,
        (
            first,
            AxisSizes(
                1, 4, (11, 12, 13), (Crop(1, 1), Crop(1, 0), Crop(1, -1)), (ApiSizes("torch", 11, wide, ()), beyond)
            ),
        ),
    )


def _targets() -> tuple[TargetInfo, ...]:
    frameworks = {"torch": ("torch", "2.13.0"), "jax": ("jax", "0.10.2"), "tf": ("tensorflow", "2.21.0")}
    frameworks["keras"] = ("keras", "3.15.1")
    settings = {TORCH: {**COMMON, "TORCH_LOGS": f"off {HANDLER}"}}
    observed = [
        TargetInfo(t, *frameworks[t.api.split(".")[0]], available=True, settings=settings.get(t, COMMON))
        for t in OBSERVED
    ]
    old = TargetInfo(OLD, "torch", None, available=False, reason=f"import failed: {ANSI} {SCRIPT} libcudart.so.12")
    return (*observed, old, TargetInfo(PADDLE, "paddle", None, available=False, reason="not installed: pip install x"))


def _totals(i: int) -> TargetTotals:
    outcomes = {"ok": 290 - 20 * i, "rejected": 4, "skipped": 6 + 20 * i, "crashed": i // 5, "timed_out": 0}
    return TargetTotals(outcomes, {1: 140 - 10 * i, 2: 100 - 10 * i, 3: 50}, 290 - 22 * i, 2 * i)


def _acceptance() -> Finding:
    return replace(
        _value(),
        id="b2c4d6e8f0a1",
        oracle="contract",
        kind="acceptance",
        verdict="contract",
        suspect=TORCH.name,
        targets=(TORCH.name, COMPILED.name),
        agreeing=(),
        count=9,
        first_case=11,
        sentence="torch.nn.ConvTranspose accepts an output_padding that its forward convolution does not undo",
        call="torch.nn.ConvTranspose2d(1, 1, 3)(x)",
        cause="output_padding ≥ stride",
        case=SPELLED.to_json(),
        minimal=None,
        expected_size=None,
        observed_size=(12,),
        max_abs_error=None,
        bound_ratio=None,
        rule=Rule("output padding must be smaller than either stride or dilation", "javascript:alert(3)"),
        first_difference=None,
        status="known",
        baseline_id="torch-output-padding",
        condition="any(a >= s)",
        support=None,
    )


def _size() -> Finding:
    return replace(
        _value(),
        id="0f1e2d3c4b5a",
        kind="size",
        verdict="limitation",
        suspect=KERAS.name,
        targets=(KERAS.name,),
        count=3,
        first_case=42,
        sentence=f"keras.layers.ConvTranspose answers 7 × 8 where 8 × 8 is asked {HANDLER}",
        call="torch.nn.ConvTranspose2d(1, 1, 3)(x)",
        cause=None,
        minimal=CASE.to_json(),
        condition=None,
        support=None,
        expected_size=(8, 8),
        observed_size=(7, 8),
        max_abs_error=float("nan"),
        bound_ratio=None,
        rule=None,
        first_difference=None,
    )


def _value() -> Finding:
    return Finding(
        id="3fa9c0de1b22",
        oracle="agreement",
        kind="value",
        verdict="wrong-result",
        suspect=JAX.name,
        targets=(JAX.name, GENERAL.name),
        facets={
            "modes": ("jit",),
            "devices": ("cpu",),
            "versions": ("0.10.2",),
            "dtypes": ("float32", "float64"),
            "ndims": (1, 2),
        },
        agreeing=(TORCH.name, TENSORFLOW.name, KERAS.name),
        count=17,
        first_case=4,
        sentence="jax.lax.conv_transpose gives values that are shifted by one where dilation > 1",
        call="torch.nn.ConvTranspose2d(1, 1, 3)(x)",
        cause="shifted by (1)",
        case=CASE.to_json(),
        minimal=MINIMAL.to_json(),
        expected_size=(8, 8),
        observed_size=(8, 8),
        max_abs_error=12.0,
        bound_ratio=float("inf"),
        rule=Rule(
            "This module can be seen as the gradient of Conv2d with respect to its input.",
            "https://docs.pytorch.org/docs/stable/generated/torch.nn.ConvTranspose2d.html",
        ),
        first_difference=FirstDifference(
            index=(0, 0, 0, 1),
            expected=-2.0,
            observed=float("nan"),
            expected_values="[[ 4. -2.  6.  1.]\n [ 0.  3. -5.  2.]\n [ 1.  1.  2. -3.]]",
            observed_values=f"[[ 0. nan -2.  6.]\n [ 2.  0.  3. -5.]\n [-3.  1.  1.  2.]] {TEMPLATE}",
        ),
        log_tail=None,
        reproduce="deconvdiff replay --db .deconvdiff/results.sqlite 3fa9c0de1b22",
        condition="any(d > 1 and k > 1)",
        support=Support(412, 412, 1900, 1900),
    )


def _crash() -> Finding:
    log = "\n".join(f"F0000 {i:03d} conv_ops.cc:{i}] Check failed: {SCRIPT} {ANSI}" for i in range(200))
    return replace(
        _value(),
        id="9a8b7c6d5e4f-2",
        oracle="contract",
        kind="crash",
        verdict="crash",
        suspect=TENSORFLOW.name,
        targets=(TENSORFLOW.name,),
        count=1,
        first_case=203,
        sentence=f"tf.nn.conv_transpose ends the process with SIGABRT {SCRIPT} {OVERRIDE}",
        call="torch.nn.ConvTranspose2d(1, 1, 3)(x)",
        cause="SIGABRT",
        condition=None,
        support=None,
        observed_size=None,
        max_abs_error=None,
        bound_ratio=None,
        rule=Rule("An invalid argument raises ValueError.", "https://www.tensorflow.org/api_docs/python/tf/nn"),
        first_difference=None,
        log_tail=log + "\nlast words",
        status="expired",
    )
