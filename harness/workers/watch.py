"""Resident memory of the workers, looked at all the time: one that grows past its limit is ended.

The limit is not an address space's: TensorFlow reserves far more than it uses.
"""

from __future__ import annotations

import os
import signal
import threading

import psutil

#: seconds between two looks
_PERIOD = 0.05


class Watch:
    """A thread that measures processes and ends those above their limit."""

    def __init__(self) -> None:
        self._limits: dict[int, int] = {}
        self._over: dict[int, int] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, pid: int, limit: int) -> None:
        """End a process as soon as it holds more than ``limit`` bytes."""
        with self._lock:
            self._limits[pid] = limit
            self._over.pop(pid, None)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="deconvdiff-memory", daemon=True)
            self._thread.start()

    def remove(self, pid: int) -> int | None:
        """Watch a process no more; the bytes for which it was ended, if it was."""
        with self._lock:
            self._limits.pop(pid, None)
            return self._over.pop(pid, None)

    def close(self) -> None:
        """End the thread."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        # Signals are for the main thread, which may have to put them off.
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        while not self._stop.wait(_PERIOD):
            with self._lock:
                for pid, limit in self._limits.items():
                    held = resident_of(pid)
                    if held > limit and pid not in self._over:
                        self._over[pid] = held
                        os.kill(pid, signal.SIGKILL)


def resident_of(pid: int) -> int:
    """Bytes of resident memory, 0 of a process that has ended."""
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0
