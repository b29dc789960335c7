"""Resident memory of the workers, looked at all the time: one that grows past its limit is ended.

The limit is not an address space's: TensorFlow reserves far more than it uses.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import psutil

#: seconds between two looks
_PERIOD = 0.05


class Watch:
    """A thread that measures processes and ends those above their limit. ``over`` says who was, and by how much."""

    def __init__(self) -> None:
        self._limits: dict[int, tuple[psutil.Process, int, Callable[[], None]]] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.over: dict[int, int] = {}

    def add(self, pid: int, limit: int, end: Callable[[], None]) -> None:
        """Watch a process: ``end`` is called when it holds more than ``limit`` bytes."""
        with self._lock:
            self._limits[pid] = (psutil.Process(pid), limit, end)
            self.over.pop(pid, None)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="deconvdiff-memory", daemon=True)
            self._thread.start()

    def remove(self, pid: int) -> int | None:
        """Watch a process no more; the bytes for which it was ended, if it was."""
        with self._lock:
            self._limits.pop(pid, None)
            return self.over.pop(pid, None)

    def close(self) -> None:
        """End the thread."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(_PERIOD):
            with self._lock:
                for pid, (process, limit, end) in self._limits.items():
                    held = resident(process)
                    if held > limit and pid not in self.over:
                        self.over[pid] = held
                        end()


def resident(process: psutil.Process) -> int:
    """Bytes of resident memory, 0 of a process that has ended."""
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0
