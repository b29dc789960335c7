"""A finding as the text of an issue for the framework's maintainers."""

from __future__ import annotations

import platform
import re
from html import escape

from harness.campaign.execute import Executed
from harness.records import Disagreement


def issue_text(disagreement: Disagreement, told: str, script: str, executed: Executed, version: str | None) -> str:
    """Markdown: what is wrong in one sentence, versions, the rule, the script, and how it ended when it was run.

    ``told`` is the sentence. What a target said is text in it and no markup; the fence of the script is longer than any
    run of backticks in it.

    >>> from harness.campaign.execute import End
    >>> from harness.records import Asked, Expression, Kind, Observation, Oracle, Outcome, Target
    >>> asked = Asked(Target("some.conv", "eager"), "conv(x)", Expression(None, ()))
    >>> found = Disagreement(Oracle.CONTRACT, Kind.CRASH, asked, Observation("some.conv+eager", Outcome.CRASHED))
    >>> print(issue_text(found, "conv(x) dies.", "conv()", Executed(End.DIES, "SIGABRT", ""), "1.0").splitlines()[0])
    some.conv: crash
    """
    rule = disagreement.rule
    machine = f"{platform.system()} {platform.machine()}"
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", script)), default=0))
    ended = executed.exit if not executed.last_line else f"{executed.exit}: {executed.last_line}"
    parts = [
        f"{disagreement.asked.target.api}: {disagreement.kind.value}",
        escape(told, quote=False),
        *([f"Documented: {rule.text} {rule.url}".rstrip()] if rule and rule.text not in told else []),
        f"Version {version or 'unknown'}, Python {platform.python_version()}, {machine}.",
        f"{fence}python\n{script.rstrip()}\n{fence}",
        f"This script was run and ended with {escape(ended, quote=False)}",
    ]
    return "\n\n".join(parts) + "\n"
