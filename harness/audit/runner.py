"""Runs programs one after the other in this interpreter, each in names of its own, and says how each ended.

It imports nothing of ours. The file that it is given names the programs; beside it stands the file of results, a JSON
text on each line, which is written before each program and after it, so that a death is laid to one of them.
"""

import contextlib
import io
import json
import pathlib
import sys


def main(file: str, start: str) -> None:
    """Run the programs of a file from the one of that number on."""
    programs = json.loads(pathlib.Path(file).read_text(encoding="utf-8"))
    with pathlib.Path(file + ".results").open("a", encoding="utf-8") as results:
        for number, text in list(enumerate(programs))[int(start) :]:
            _say(results, {"began": number})
            _say(results, {"ended": number, "error": _error(text)})


def _error(text: str) -> "str | None":
    """Why a program failed; what it prints is nobody's."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            exec(compile(text, "<program>", "exec"), {"__name__": "__program__"})  # noqa: S102 # it is what is proved
    except BaseException as error:
        return f"{type(error).__name__}: {error}"
    return None


def _say(results: io.TextIOBase, what: "dict[str, object]") -> None:
    results.write(json.dumps(what) + "\n")
    results.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
