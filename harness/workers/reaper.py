"""Nobody is left behind: a process that does nothing but wait for ours to end, and then ends its workers.

An interpreter that waits for orders sees by itself that the parent has gone, and ends what it has forked; one that
serves and hangs inside a framework does not. The reaper holds one end of a pipe, reads which process groups there are,
and kills those left a second after the pipe has closed, however the parent came to its end.
"""

from __future__ import annotations

import subprocess
import sys

_CODE = """\
import os, signal, sys, time
left = set()
for line in sys.stdin:
    (left.add if line[0] == "+" else left.discard)(int(line[1:]))
if left:
    time.sleep(1)
for group in left:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        pass
"""


class Reaper:
    """The process, started with the first worker that it is told of."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def watch(self, group: int) -> None:
        """A process group that must not outlive this process."""
        if self._process is None:
            self._process = subprocess.Popen(  # noqa: S603 # our own interpreter and text
                [sys.executable, "-I", "-S", "-c", _CODE],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                text=True,
            )
        self._tell(f"+{group}\n")

    def forget(self, group: int) -> None:
        """A process group that has ended."""
        self._tell(f"-{group}\n")

    def close(self) -> None:
        """End the reaper, and what is left with it."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            self._process.wait()
        self._process = None

    def _tell(self, line: str) -> None:
        if self._process is None or self._process.stdin is None:
            return
        try:
            self._process.stdin.write(line)
            self._process.stdin.flush()
        except BrokenPipeError:  # somebody has killed it: idle workers still see our end by themselves
            return
