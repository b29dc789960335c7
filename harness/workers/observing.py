"""What a target does with a case: the call is put, made alone or together with others, and its answer observed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from harness.frameworks.base import Answer, Api, Call, Declined, Gradients, Mode, Role, ShapeCall, as_answer
from harness.layer import Case, Crop, Layer
from harness.records import VIEW, Expression, Observation, Outcome, Resolved, Skipped
from harness.values import digest, storage_dtype
from harness.workers.protocol import MESSAGE_LIMIT, Job

_Arrays: TypeAlias = "tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None]"


class _Rejected(Exception):
    """The target itself raised."""


class Clock:
    """Seconds that were spent in targets."""

    def __init__(self) -> None:
        self.inside = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Time what is inside."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.inside += time.perf_counter() - started


clock = Clock()


@dataclass(frozen=True, slots=True)
class _Put:
    """A case as it is put to a target: its words, the layer that they mean (None: nothing certain), its arrays."""

    api: Api
    case: Case
    expression: Expression
    layer: Layer | None
    arrays: _Arrays

    @property
    def in_words(self) -> bool:
        """Whether our code makes the call of the target's own words; otherwise it runs the layer by itself."""
        return self.expression.spelling is not None and type(self.api).run is Api.run


@dataclass(frozen=True, slots=True)
class _Ready:
    """A case as it is put, and its call, which is made together with others."""

    put: _Put
    call: Call | ShapeCall


def observe(api: Api, case: Case, job: Job) -> Observation:
    """What the target does with the case: never raises for what the target does."""
    return _watched(job.target, lambda: _observe(api, case, job))


def _watched(target: str, observing: Callable[[], Observation]) -> Observation:
    started = time.perf_counter()
    try:
        return observing()
    except Declined as declined:
        return Observation(target, Outcome.SKIPPED, reason=str(declined))
    except MemoryError as error:
        return Observation(target, Outcome.OUT_OF_MEMORY, error=one_line(error))
    except _Rejected as rejected:
        cause = rejected.__cause__
        return Observation(target, Outcome.REJECTED, error=one_line(cause), seconds=time.perf_counter() - started)


def observe_together(api: Api, asked: Sequence[tuple[Case, Job]]) -> list[Observation | None]:
    """The observations of calls that are compiled as one; None of those that must be made one by one."""
    ready = [_ready_to_fuse(api, case, job) for case, job in asked]
    calls = [one.call for one in ready if isinstance(one, _Ready)]
    started = time.perf_counter()
    many = api.abstract_many if _mode(api).abstract else api.apply_many
    try:
        answers = iter(_guarded(many, calls) if calls else ())
    except (_Rejected, Declined, MemoryError):
        return [one if isinstance(one, Observation) else None for one in ready]
    seconds = (time.perf_counter() - started) / max(len(calls), 1)
    found: list[Observation | None] = []
    for one, (_, job) in zip(ready, asked, strict=True):
        found.append(_finished(one.put, next(answers), job, seconds) if isinstance(one, _Ready) else one)
    return found


def _ready_to_fuse(api: Api, case: Case, job: Job) -> _Ready | Observation | None:
    """The prepared call, or the observation of what is not asked; None of what cannot be fused."""
    ready: list[_Ready] = []

    def prepare() -> Observation:
        put = _put(api, case, job.target)
        if isinstance(put, Observation):
            return put
        if _is_fusible(put):
            ready.append(_Ready(put, _call(put)))
        return Observation(job.target, Outcome.OK)

    seen = _watched(job.target, prepare)
    if ready:
        return ready[0]
    return None if seen.outcome is Outcome.OK else seen


def fuses(api: Api) -> bool:
    """Whether a target takes several calls at once."""
    return api.fuses_shapes if _mode(api).abstract else api.fuses


def _call(put: _Put) -> Call | ShapeCall:
    spelling = put.expression.spelling
    if _mode(put.api).abstract and spelling is not None:
        return ShapeCall(put.case.batch, put.case.input_size, spelling, put.case.dtype)
    return put.api.prepare(*put.arrays, put.expression)


def _is_fusible(put: _Put) -> bool:
    spelling, size = put.expression.spelling, put.case.input_size
    if _mode(put.api).abstract:
        return spelling is not None and put.layer is not None
    if spelling is None or put.layer is None or not put.in_words or _mode(put.api).gradient:
        return False
    return not put.api.alone(spelling, size) and not put.api.costly(spelling, size)


def _finished(put: _Put, answer: Any, job: Job, seconds: float) -> Observation | None:
    """The observation of a fused call; None if it is to be made again, because it is not what is expected."""
    if _mode(put.api).abstract:
        return _seen_shape(put, answer, job.target, seconds)
    finished = put.api.finish(answer, put.arrays[2], put.expression)
    seen = _watched(job.target, lambda: _seen(put, finished, job, seconds))
    return None if job.expects is not None and seen.digest != job.expects else seen


def _observe(api: Api, case: Case, job: Job) -> Observation:
    put = _put(api, case, job.target)
    if isinstance(put, Observation):
        return put
    mode = _mode(api)
    if mode.abstract:
        return _observe_shape(put, job.target)
    if mode.gradient:
        return _observe_gradients(put, job)
    return _twice(lambda: _observe_values(put, job), job)


def _put(api: Api, case: Case, target: str) -> _Put | Observation:
    """How the case is put; an observation where it is not asked."""
    api.dtype = case.dtype
    limit = _guarded(api.limit, case)
    if limit is not None:
        return Observation(target, Outcome.SKIPPED, reason=str(limit))
    expression, layer = _asked(api, case)
    if isinstance(expression, Skipped):
        return Observation(target, Outcome.SKIPPED, reason=expression.reason)
    if _mode(api).abstract:
        return _Put(api, case, expression, layer, _NOTHING)
    arrays = case.arrays(layer) if layer is not None else _any_arrays(api, case, expression)
    return _Put(api, case, expression, layer, arrays)


_NOTHING: _Arrays = (np.empty(0), np.empty(0), None)


def _twice(observing: Callable[[], Observation], job: Job) -> Observation:
    """What is observed; what is not the right answer is asked again, for it may be another the second time."""
    first = observing()
    if job.expects is None or first.digest in (None, job.expects):
        return first
    second = observing()
    return replace(second, unstable=second.digest != first.digest)


def _observe_values(put: _Put, job: Job) -> Observation:
    started = time.perf_counter()
    answer = _concrete(put)
    return _seen(put, answer, job, time.perf_counter() - started)


def _seen(put: _Put, answer: Answer, job: Job, seconds: float) -> Observation:
    wide = _numbers(answer)
    found = digest(wide)
    given = [array for array in put.arrays if array is not None]
    return Observation(
        job.target,
        Outcome.OK,
        reason=VIEW if any(np.may_share_memory(answer.values, one) for one in given) else None,
        shape=wide.shape,
        dtype=answer.dtype,
        digest=found,
        input_digest=_input_digest(*given),
        seconds=seconds,
        values=wide if _wanted(job, found) else None,
    )


def _wanted(job: Job, found: str) -> bool:
    return job.values or (job.expects is not None and found != job.expects)


def _observe_gradients(put: _Put, job: Job) -> Observation:
    """The vector-Jacobian products laid end to end; where one has not the shape of its array, that is the reason."""
    layer = put.layer
    if layer is None or put.case.values == "special":
        return Observation(
            job.target, Outcome.SKIPPED, reason="gradients of special values and unclear calls are not asked"
        )
    cotangent = put.case.cotangent(layer)
    return _twice(lambda: _seen_gradients(put, layer, cotangent, job), job)


def _seen_gradients(put: _Put, layer: Layer, cotangent: NDArray[Any], job: Job) -> Observation:
    arrays = put.arrays
    started = time.perf_counter()
    vjp = partial(_gradients, put.api)
    if not put.in_words:
        gradients: Gradients = vjp(*arrays, layer, cotangent)
    else:
        gradients = put.api.vjp_expression(*arrays, put.expression, cotangent, vjp=vjp)
    seconds = time.perf_counter() - started
    answers = [as_answer(gradient) for gradient in gradients if gradient is not None]
    parts = [_numbers(answer) for answer in answers]
    shapes = [array.shape for array in arrays if array is not None]
    shown = [part.shape for part in parts]
    wide = np.concatenate([part.ravel() for part in parts])
    found = digest(wide)
    return Observation(
        job.target,
        Outcome.OK,
        reason=None if shown == shapes else f"gradients of shapes {_listed(shown)} for arrays of {_listed(shapes)}",
        dtype=", ".join(dict.fromkeys(answer.dtype for answer in answers)),
        digest=found,
        input_digest=_input_digest(*arrays, cotangent),
        seconds=seconds,
        values=wide if _wanted(job, found) else None,
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


def _any_arrays(api: Api, case: Case, expression: Expression) -> _Arrays:
    """Ones in the shapes that a spelling without meaning asks for; negative extents count as none."""
    spelling = expression.spelling
    assert spelling is not None, "only spelled cases can lack a meaning"  # noqa: S101 # kept by _asked
    dtype = storage_dtype(case.dtype)
    shape = tuple(max(extent, 0) for extent in api.native_weight_shape(spelling, case.ndim))
    inputs = max(api.role(spelling, Role.IN_CHANNELS, 1), 0)
    return np.ones((case.batch, inputs, *case.input_size), dtype), np.ones(shape, dtype), None


def _concrete(put: _Put) -> Answer:
    api = put.api
    x, weight, bias = put.arrays
    if not put.in_words:
        assert put.layer is not None, "a target without a vocabulary is asked for layers"  # noqa: S101 # kept by _asked
        return as_answer(_guarded(api.run, x, weight, bias, put.layer))
    if put.layer is None:
        return as_answer(_guarded(api.apply, x, weight, bias, put.expression.spelling))
    return api.run_expression(x, weight, bias, put.expression, apply=partial(_guarded, api.apply))


def _observe_shape(put: _Put, target: str) -> Observation:
    case = put.case
    started = time.perf_counter()
    shape = _guarded(put.api.abstract, case.batch, case.input_size, put.expression.spelling or put.layer)
    return _seen_shape(put, shape, target, time.perf_counter() - started)


def _seen_shape(put: _Put, shape: tuple[int, ...], target: str, seconds: float) -> Observation:
    if any(extent is None for extent in shape):
        return Observation(target, Outcome.SKIPPED, reason="the shape is inferred at run time only")
    cropped = [m - lo - hi for m, (lo, hi) in zip(shape[2:], put.expression.crop, strict=True)]
    return Observation(target, Outcome.OK, shape=(*shape[:2], *cropped), seconds=seconds)


def _guarded(function: Callable[..., Any], *arguments: Any) -> Any:
    try:
        with clock.running():
            return function(*arguments)
    except (Declined, MemoryError):
        raise
    except Exception as error:
        raise _Rejected from error


def _mode(api: Api) -> Mode:
    return _mode_of(api, api.mode)


@lru_cache
def _mode_of(api: Api, name: str) -> Mode:
    return next((mode for mode in api.all_modes() if mode.name == name), Mode(name))


def one_line(error: BaseException | None) -> str:
    """``Type: message`` on one line, cut at a sane length; a message that cannot be had is left out."""
    try:
        text = f"{type(error).__name__}: {error}"
    except Exception:
        text = f"{type(error).__name__}: (its message cannot be printed)"
    return " ".join(text.split())[:MESSAGE_LIMIT]
