"""What parent and worker say to each other: one JSON text for each message, and raw numbers after it if there are any.

The parent asks to load a target, or to observe a batch of jobs; the worker answers the jobs in any number of messages
and ends with what it used. No object of ours is pickled, so that both sides may run different versions of Python and
NumPy. Beside the connection there is a marker, a file in which the worker writes what it is at: when it dies, that is
the culprit.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.records import Observation, Outcome

#: longest message of an exception that is kept
MESSAGE_LIMIT = 2000

#: bytes of the log that an observation keeps
LOG_TAIL = 20_000

#: what a marker says instead of a job's number
FUSED, LOADING, IDLE = -1, -2, -3

_MARKER = struct.Struct("<qqq")


class WorkerFault(Exception):
    """Our own code failed in the worker: never a framework's fault."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a worker finds a target: the class, the mode, and the name under which it reports."""

    target: str
    location: str
    mode: str


@dataclass(frozen=True, slots=True)
class Job:
    """One case for one target: its place among the batch's cases, and what is wanted of the answer.

    ``values`` asks for the numbers besides their digest; ``expects`` is the right digest: an answer that has another is
    made a second time, and comes with its numbers. ``alone`` keeps the job out of a compilation with others.
    """

    target: str
    case: int
    values: bool = False
    expects: str | None = None
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Marker:
    """What a worker is at: a batch, a job of it or one of the signs, and how often it has moved."""

    batch: int
    job: int
    moved: int


@dataclass(frozen=True, slots=True)
class Hello:
    """What a loaded target says of itself; ``error`` is why it could not be loaded."""

    framework: str | None
    version: str | None
    error: str | None


def mark(descriptor: int, marker: Marker) -> None:
    """Write down what a worker is at; it takes two microseconds."""
    os.pwrite(descriptor, _MARKER.pack(marker.batch, marker.job, marker.moved), 0)


def read_marker(descriptor: int) -> Marker:
    """What the worker wrote last."""
    written = os.pread(descriptor, _MARKER.size, 0)
    return Marker(*_MARKER.unpack(written)) if len(written) == _MARKER.size else Marker(-1, IDLE, 0)


def send(connection: Connection, message: bytes, arrays: Sequence[NDArray[Any]] = ()) -> None:
    """Send a message and, behind it, arrays as float64 numbers."""
    connection.send_bytes(message)
    for array in arrays:
        connection.send_bytes(np.ascontiguousarray(array, dtype="<f8").tobytes())


def encode(message: dict[str, Any], arrays: Sequence[NDArray[Any]] = ()) -> bytes:
    """A message as it is sent, with the shapes of the arrays that follow it."""
    return json.dumps({**message, "arrays": [list(array.shape) for array in arrays]}, separators=(",", ":")).encode()


def receive(connection: Connection) -> tuple[dict[str, Any], list[NDArray[Any]]]:
    """Receive what ``send`` sent.

    Raises:
        EOFError: the other side is gone.
    """
    message: dict[str, Any] = json.loads(connection.recv_bytes())
    shapes = message.pop("arrays")
    return message, [np.frombuffer(connection.recv_bytes(), dtype="<f8").reshape(shape) for shape in shapes]


def pack(answers: Iterable[tuple[int, Observation]]) -> tuple[dict[str, Any], list[NDArray[Any]]]:
    """Answers to jobs as a message and its arrays; what is not said is the default."""
    packed: list[dict[str, Any]] = []
    arrays: list[NDArray[Any]] = []
    for job, observation in answers:
        said: dict[str, Any] = {"job": job}
        for name in Observation.__slots__:
            value = getattr(observation, name)
            if name == "values":
                if value is not None:
                    said[name] = len(arrays)
                    arrays.append(value)
            elif value is not None and value is not False:
                said[name] = value
        packed.append(said)
    return {"answers": packed}, arrays


def unpack(message: dict[str, Any], arrays: Sequence[NDArray[Any]]) -> list[tuple[int, Observation]]:
    """The answers of a message.

    Raises:
        WorkerFault: the message reports a fault of our own code.
    """
    if "fault" in message:
        raise WorkerFault(message["fault"])
    return [(one.pop("job"), _observation(one, arrays)) for one in message.get("answers", ())]


def _observation(said: dict[str, Any], arrays: Sequence[NDArray[Any]]) -> Observation:
    plain = {name: printable(value) for name, value in said.items()}
    plain["outcome"] = Outcome(plain["outcome"])
    if "shape" in plain:
        plain["shape"] = tuple(plain["shape"])
    if "values" in plain:
        plain["values"] = arrays[plain["values"]]
    return Observation(**plain)


def printable(value: Any) -> Any:
    """A text without lone surrogates, which neither a file nor a database takes; anything else as it is."""
    return value.encode(errors="backslashreplace").decode() if isinstance(value, str) else value


def plain(record: Address | Hello) -> dict[str, Any]:
    """A small record as plain data."""
    return asdict(record)
