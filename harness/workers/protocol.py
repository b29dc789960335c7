"""What parent and worker say to each other: one JSON text for each message, and raw numbers after it if there are any.

No object of ours is pickled, so that both sides may run different versions of Python and NumPy.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.records import Observation, Outcome

#: longest message of an exception that is kept
MESSAGE_LIMIT = 2000


class WorkerFault(Exception):
    """Our own code failed in the worker: never a framework's fault."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a worker finds a target: the class, the mode, and the name under which it reports."""

    target: str
    location: str
    mode: str


@dataclass(frozen=True, slots=True)
class Hello:
    """What a loaded target says of itself; ``error`` is why it could not be loaded."""

    framework: str | None
    version: str | None
    error: str | None


def send(connection: Connection, message: dict[str, Any], values: NDArray[Any] | None = None) -> None:
    """Send a message and, behind it, an array as float64 numbers."""
    shape = None if values is None else list(values.shape)
    connection.send_bytes(json.dumps({**message, "values_shape": shape}).encode())
    if values is not None:
        connection.send_bytes(np.ascontiguousarray(values, dtype="<f8").tobytes())


def receive(connection: Connection) -> tuple[dict[str, Any], NDArray[Any] | None]:
    """Receive what ``send`` sent.

    Raises:
        EOFError: the other side is gone.
    """
    message: dict[str, Any] = json.loads(connection.recv_bytes())
    shape = message.pop("values_shape")
    if shape is None:
        return message, None
    return message, np.frombuffer(connection.recv_bytes(), dtype="<f8").reshape(shape)


def pack(observation: Observation) -> tuple[dict[str, Any], NDArray[Any] | None]:
    """An observation as a message and its values."""
    plain = {name: value for name, value in _fields(observation).items() if name != "values"}
    return {"observation": plain}, observation.values


def unpack(message: dict[str, Any], values: NDArray[Any] | None) -> Observation:
    """The observation of a message.

    Raises:
        WorkerFault: the message reports a fault of our own code.
    """
    if "fault" in message:
        raise WorkerFault(message["fault"])
    plain = {name: printable(value) for name, value in message["observation"].items()}
    plain["outcome"] = Outcome(plain["outcome"])
    plain["shape"] = None if plain["shape"] is None else tuple(plain["shape"])
    return Observation(**plain, values=values)


def printable(value: Any) -> Any:
    """A text without lone surrogates, which neither a file nor a database takes; anything else as it is."""
    return value.encode(errors="backslashreplace").decode() if isinstance(value, str) else value


def _fields(observation: Observation) -> dict[str, Any]:
    return {name: getattr(observation, name) for name in Observation.__slots__}


def plain(record: Address | Hello) -> dict[str, Any]:
    """A small record as plain data."""
    return asdict(record)
