"""The worker's main: load targets when they are asked for, observe one case at a time, answer.

It imports the standard library, NumPy, the mathematics, the records, ``frameworks.base`` and the one framework's file,
nothing else of ours.
"""

from __future__ import annotations

import importlib
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.frameworks.base import Answer, Api, Declined, Gradients, Mode, Role, as_answer
from harness.layer import Case, Crop, Layer
from harness.records import Expression, Observation, Outcome, Resolved, Skipped
from harness.values import digest, storage_dtype
from harness.workers.protocol import MESSAGE_LIMIT, Address, Hello, pack, plain, receive, send


class _Rejected(Exception):
    """The target itself raised."""


def main(read_and_write: int) -> None:
    """Serve requests on the inherited descriptor until the parent closes it."""
    connection = Connection(read_and_write)
    loaded: dict[str, Api] = {}
    while True:
        try:
            request, _ = receive(connection)
        except (EOFError, OSError):
            return
        send(connection, *_answer(request, loaded))


def _answer(request: dict[str, Any], loaded: dict[str, Api]) -> tuple[dict[str, Any], NDArray[Any] | None]:
    address = Address(**request["address"])
    try:
        if address.target not in loaded:
            loaded[address.target] = load(address)
        api = loaded[address.target]
        if "case" not in request:
            version = api.version()
            return {"hello": plain(Hello(api.framework, None if version is None else str(version), None))}, None
    except Exception as error:
        return {"hello": plain(Hello(None, None, one_line(error)))}, None
    try:
        case = Case.from_json(request["case"])
        return pack(observe(api, case, address.target, values=request["values"]))
    except Exception:
        return {"fault": traceback.format_exc()}, None


def load(address: Address) -> Api:
    """Import the class of an address, make its instance, load its framework.

    Raises:
        TypeError: the class is not an ``Api``. Whatever the import itself raises passes through.
    """
    module, _, name = address.location.partition(":")
    kind = getattr(importlib.import_module(module), name)
    if not (isinstance(kind, type) and issubclass(kind, Api)):
        raise TypeError(f"{address.location} is not a class that derives from harness.frameworks.Api")
    api = kind()
    if address.mode not in (known := [mode.name for mode in api.all_modes()]):
        raise TypeError(f"{address.location} has no mode {address.mode!r}: known are {', '.join(known)}")
    api.mode = address.mode
    api.load()
    return api


def observe(api: Api, case: Case, target: str, *, values: bool) -> Observation:
    """What the target does with the case: never raises for what the target does."""
    api.dtype = case.dtype
    started = time.perf_counter()
    try:
        limit = _guarded(api.limit, case)
        if limit is not None:
            return Observation(target, Outcome.SKIPPED, reason=str(limit))
        observation = _observe(api, case, target, values=values)
    except Declined as declined:
        return Observation(target, Outcome.SKIPPED, reason=str(declined))
    except MemoryError as error:
        return Observation(target, Outcome.OUT_OF_MEMORY, error=one_line(error))
    except _Rejected as rejected:
        cause = rejected.__cause__
        return Observation(target, Outcome.REJECTED, error=one_line(cause), seconds=time.perf_counter() - started)
    return observation


def _observe(api: Api, case: Case, target: str, *, values: bool) -> Observation:
    expression, layer = _asked(api, case)
    if isinstance(expression, Skipped):
        return Observation(target, Outcome.SKIPPED, reason=expression.reason)
    if _mode(api).abstract:
        return _observe_shape(api, case, expression, layer, target)
    arrays = case.arrays(layer) if layer is not None else _any_arrays(api, case, expression)
    if _mode(api).gradient:
        return _observe_gradients(api, case, expression, layer, arrays, target, values=values)
    started = time.perf_counter()
    answer = _concrete(api, expression, layer, arrays)
    seconds = time.perf_counter() - started
    wide = _numbers(answer)
    return Observation(
        target,
        Outcome.OK,
        shape=wide.shape,
        dtype=answer.dtype,
        digest=digest(wide),
        input_digest=_input_digest(*arrays),
        seconds=seconds,
        values=wide if values else None,
    )


def _observe_gradients(
    api: Api,
    case: Case,
    expression: Expression,
    layer: Layer | None,
    arrays: tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None],
    target: str,
    *,
    values: bool,
) -> Observation:
    """The vector-Jacobian products laid end to end; where one has not the shape of its array, that is the reason."""
    if layer is None or case.values == "special":
        return Observation(
            target, Outcome.SKIPPED, reason="gradients of special values and unclear calls are not asked"
        )
    cotangent = case.cotangent(layer)
    started = time.perf_counter()
    vjp = partial(_gradients, api)
    if expression.spelling is None or type(api).run is not Api.run:
        gradients: Gradients = vjp(*arrays, layer, cotangent)
    else:
        gradients = api.vjp_expression(*arrays, expression, cotangent, vjp=vjp)
    seconds = time.perf_counter() - started
    answers = [as_answer(gradient) for gradient in gradients if gradient is not None]
    parts = [_numbers(answer) for answer in answers]
    shapes = [array.shape for array in arrays if array is not None]
    found = [part.shape for part in parts]
    wide = np.concatenate([part.ravel() for part in parts])
    return Observation(
        target,
        Outcome.OK,
        reason=None if found == shapes else f"gradients of shapes {_listed(found)} for arrays of {_listed(shapes)}",
        dtype=", ".join(dict.fromkeys(answer.dtype for answer in answers)),
        digest=digest(wide),
        input_digest=_input_digest(*arrays, cotangent),
        seconds=seconds,
        values=wide if values else None,
    )


def _gradients(api: Api, *asked: Any) -> tuple[Answer, Answer, Answer | None]:
    """What ``vjp`` returns, as arrays; anything but (dx, dweight, dbias) is the target's own mistake."""
    found = _guarded(api.vjp, *asked)
    if not isinstance(found, (tuple, list)) or len(found) != 3 or found[0] is None or found[1] is None:
        raise _Rejected from TypeError(f"returned {type(found).__name__}, not (dx, dweight, dbias)")
    dx, dweight, dbias = (None if one is None else as_answer(one) for one in found)
    assert dx is not None  # noqa: S101 # for the type checker: seen above
    assert dweight is not None  # noqa: S101 # likewise
    return (
        Answer(_array(dx), dx.dtype),
        Answer(_array(dweight), dweight.dtype),
        None if dbias is None else Answer(_array(dbias), dbias.dtype),
    )


def _array(answer: Answer) -> NDArray[Any]:
    output: NDArray[Any] = _guarded(np.asarray, answer.values)
    if output.dtype.kind not in "fiub":
        raise _Rejected from TypeError(f"returned {type(answer.values).__name__}, not an array")
    return output


def _numbers(answer: Answer) -> NDArray[np.float64]:
    return np.asarray(_array(answer), dtype=np.float64)


def _listed(shapes: Sequence[tuple[int, ...]]) -> str:
    return ", ".join(map(str, shapes))


def _input_digest(*arrays: NDArray[Any] | None) -> str:
    return digest(np.concatenate([array.ravel() for array in arrays if array is not None]))


def _asked(api: Api, case: Case) -> tuple[Expression | Skipped, Layer | None]:
    """How the case is put, and the layer whose arrays it has: None where the documentation gives it no meaning."""
    if case.layer is not None:
        return api.express(case.layer, case.input_size), case.layer
    if case.spelling is None or not api.has_vocabulary:
        return Skipped("has no vocabulary of its own"), None
    answer = api.resolve(case.spelling, case.input_size)
    expression = Expression(case.spelling, (Crop(0, 0),) * case.ndim)
    return expression, answer.layer if isinstance(answer, Resolved) else None


def _any_arrays(api: Api, case: Case, expression: Expression) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None]:
    """Ones in the shapes that a spelling without meaning asks for; negative extents count as none."""
    spelling = expression.spelling
    assert spelling is not None, "only spelled cases can lack a meaning"  # noqa: S101 # kept by _asked
    dtype = storage_dtype(case.dtype)
    shape = tuple(max(extent, 0) for extent in api.native_weight_shape(spelling, case.ndim))
    inputs = max(api.role(spelling, Role.IN_CHANNELS, 1), 0)
    return np.ones((case.batch, inputs, *case.input_size), dtype), np.ones(shape, dtype), None


def _concrete(
    api: Api,
    expression: Expression,
    layer: Layer | None,
    arrays: tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None],
) -> Answer:
    x, weight, bias = arrays
    if expression.spelling is None or type(api).run is not Api.run:
        assert layer is not None, "a target without a vocabulary is asked for layers"  # noqa: S101 # kept by _asked
        return as_answer(_guarded(api.run, x, weight, bias, layer))
    apply = partial(_guarded, api.apply)
    if layer is None:
        return as_answer(apply(x, weight, bias, expression.spelling))
    return api.run_expression(x, weight, bias, expression, apply=apply)


def _observe_shape(api: Api, case: Case, expression: Expression, layer: Layer | None, target: str) -> Observation:
    started = time.perf_counter()
    shape = _guarded(api.abstract, case.batch, case.input_size, expression.spelling or layer)
    seconds = time.perf_counter() - started
    if any(extent is None for extent in shape):
        return Observation(target, Outcome.SKIPPED, reason="the shape is inferred at run time only")
    cropped = [m - lo - hi for m, (lo, hi) in zip(shape[2:], expression.crop, strict=True)]
    return Observation(target, Outcome.OK, shape=(*shape[:2], *cropped), seconds=seconds)


def _guarded(function: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except (Declined, MemoryError):
        raise
    except Exception as error:
        raise _Rejected from error


def _mode(api: Api) -> Mode:
    return next((mode for mode in api.all_modes() if mode.name == api.mode), Mode(api.mode))


def one_line(error: BaseException | None) -> str:
    """``Type: message`` on one line, cut at a sane length; a message that cannot be had is left out."""
    try:
        text = f"{type(error).__name__}: {error}"
    except Exception:
        text = f"{type(error).__name__}: (its message cannot be printed)"
    return " ".join(text.split())[:MESSAGE_LIMIT]


if __name__ == "__main__":
    main(int(sys.argv[1]))
