"""One call of a PyTorch model, watched: what its transposed convolutions get, and what is cut from what they give."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from harness.audit.found import Cut
from harness.audit.readers.cuts import Cutting, int_or_none, outside, taken, taken_away
from harness.audit.readers.request import Request
from harness.errors import UsageError

#: asking for a tensor's shape uses no element of it
_LOOKS = frozenset(["__get__", "size", "dim", "numel", "is_floating_point", "is_complex", "ndimension", "stride"])

#: functions that cut a tensor
_CUTS = ("__getitem__", "narrow", "pad")


def transposed_kinds() -> tuple[Any, ...]:
    """PyTorch's own three classes."""
    import torch

    return (torch.nn.ConvTranspose1d, torch.nn.ConvTranspose2d, torch.nn.ConvTranspose3d)


@dataclass(frozen=True, slots=True)
class Seen:
    """What the calls of one module show."""

    input_size: tuple[int, ...] | None = None
    output_size: tuple[int, ...] | None = None
    cut: Cut = ()
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class _Call:
    """One call of a module: the tensor that it gave, and the sizes that it was given."""

    output: Any
    input_size: tuple[int, ...]
    output_size: tuple[int, ...] | None
    ndim: int


@dataclass(slots=True)
class Calls:
    """The calls of a model's transposed convolutions, the uses of what they gave, and calls of the bare functions."""

    functions: Counter[str] = field(default_factory=Counter)
    _calls: dict[Any, list[_Call]] = field(default_factory=lambda: defaultdict(list))
    _uses: dict[int, list[tuple[str, tuple[Any, ...], Any]]] = field(default_factory=dict)
    _inside: int = 0

    def of(self, module: Any) -> Seen:
        """What is known of one module; nothing if it was not called."""
        calls = self._calls.get(module)
        if not calls:
            return Seen()
        first = calls[0]
        notes = []
        if len(calls) > 1:
            notes.append(f"called {len(calls)} times in the model: what is said of sizes is the first call's")
        if first.output_size is not None:
            notes.append(f"called with output_size={first.output_size} in the model")
        cut = self._cut(first, notes) if len(calls) == 1 else ()
        return Seen(first.input_size, first.output_size, cut, tuple(notes))

    def enter(self, *_: Any) -> None:
        """A module of PyTorch's own begins: the functions that it calls are its own."""
        self._inside += 1

    def leave(self, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        """A module has given its output."""
        self._inside -= 1
        ndim = len(module.kernel_size)
        asked = kwargs.get("output_size", args[1] if len(args) > 1 else None)
        size = None if asked is None else tuple(int(n) for n in asked)[-ndim:]
        images = args[0] if args else kwargs["input"]
        self._uses[id(output)] = []
        self._calls[module].append(_Call(output, tuple(images.shape[-ndim:]), size, ndim))

    def use(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        """A function of PyTorch was called."""
        name = getattr(function, "__name__", "")
        if name.startswith("conv_transpose") and not self._inside:
            self.functions[f"torch.nn.functional.{name}"] += 1
        if name not in _LOOKS:
            self._note(name, (args, kwargs), args, result)

    def give(self, output: Any) -> None:
        """The model has given its output, which is a use of it."""
        self._note("return", output, (), None)

    def _note(self, name: str, given: Any, args: tuple[Any, ...], result: Any) -> None:
        """Keep a use of a layer's output, or of what was cut from one; other tensors are let go."""
        for known in {id(one) for one in _tensors(given)} & self._uses.keys():
            self._uses[known].append((name, args, result))
            if name in _CUTS:
                self._uses[id(result)] = []

    def _cut(self, call: _Call, notes: list[str]) -> Cut:
        cutting, value = Cutting(call.ndim), call.output
        while len(uses := self._uses[id(value)]) == 1:
            name, args, result = uses[0]
            slices = _sliced(name, args, call.ndim) if value.dim() == call.ndim + 2 else None
            if slices is None or not cutting.take_all(slices):
                break
            notes.append(f"{taken('the slice')}, as it is for this input")
            value = result
        if any(name in _CUTS for name, _, _ in self._uses[id(value)]):
            notes.append(outside("a slice"))
        return cutting.cut


def watched(model: Any, request: Request) -> Calls:
    """What one call of the model, on zeros of the shape that was given, shows.

    Raises:
        UsageError: the model does not take that shape.
    """
    import torch
    from torch.overrides import TorchFunctionMode

    calls = Calls()

    class Watch(TorchFunctionMode):  # type: ignore[misc]  # of PyTorch nothing is known here
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            result = func(*args, **(kwargs or {}))
            calls.use(func, args, kwargs or {}, result)
            return result

    hooks = []
    for module in model.modules():
        if isinstance(module, transposed_kinds()):
            hooks.append(module.register_forward_pre_hook(calls.enter))
            hooks.append(module.register_forward_hook(calls.leave, with_kwargs=True))
    dtype = next((one.dtype for one in model.parameters() if one.is_floating_point()), torch.float32)
    shape = request.input_shape
    try:
        with Watch():
            output = model(torch.zeros(shape, dtype=dtype))
    except Exception as error:  # whatever a model says of an input
        raise UsageError(f"{request.source}: cannot be called with an input of shape {shape}: {error}") from None
    finally:
        for hook in hooks:
            hook.remove()
    calls.give(output)
    return calls


def _tensors(value: Any) -> Iterator[Any]:
    import torch

    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from _tensors(one)
    elif isinstance(value, dict):
        for one in value.values():
            yield from _tensors(one)


def _sliced(name: str, args: tuple[Any, ...], ndim: int) -> Any:
    """An indexing with slices alone, a narrow or a pad that only takes away, as slices; None for anything else."""
    if name == "narrow" and len(args) == 4:
        axis, begin, length = (int_or_none(n) for n in args[1:])
        if axis is None or begin is None or length is None or begin < 0:
            return None
        return [(axis, begin, begin + length, 1)]
    if name == "pad" and len(args) > 1:
        return taken_away(args[1], ndim)
    if name != "__getitem__":
        return None
    key = args[1] if isinstance(args[1], tuple) else (args[1],)
    if not all(one is Ellipsis or _is_plain(one) for one in key):
        return None
    place = next((i for i, one in enumerate(key) if one is Ellipsis), len(key))
    before, after = key[:place], key[place + 1 :]
    first = ndim + 2 - len(after)
    pairs = [*enumerate(before), *enumerate(after, first)]
    return [(axis, one.start, one.stop, one.step) for axis, one in pairs]


def _is_plain(one: Any) -> bool:
    """Whether it is a slice whose numbers are numbers."""
    return isinstance(one, slice) and all(n is None or type(n) is int for n in (one.start, one.stop, one.step))
