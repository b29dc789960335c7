"""The group of commands, and what every one of them makes of errors.

Exit status, by precedence: 2 usage, unknown name, unreadable input; 130 interrupted; 3 a named target gave no
observation, nothing ran, or a fault of the harness; 1 findings that fail the run; 0 otherwise.
"""

from __future__ import annotations

import signal
import sys
import traceback
from types import FrameType
from typing import NoReturn

import click

from harness import __version__
from harness.cli.audit import audit
from harness.cli.fuzz import fuzz
from harness.cli.replay import replay
from harness.cli.report import report
from harness.cli.rules import rules
from harness.cli.sensitivity import sensitivity
from harness.cli.sizes import sizes
from harness.cli.targets import targets
from harness.cli.text import clean
from harness.errors import InvalidField, Unavailable, UsageError

USAGE, UNAVAILABLE, INTERRUPTED = 2, 3, 130


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="deconvdiff")
def cli() -> None:
    """Fuzz and compare transposed convolution across PyTorch, JAX, Flax, TensorFlow and Keras.

    \b
    deconvdiff fuzz                                  two minutes on everything installed; writes deconvdiff.html
    deconvdiff fuzz --target torch --cases 500       one framework, 500 cases
    deconvdiff sizes --input-size 3 --kernel-size 3 --stride 2
                                                     7 or 8? who picks and reaches which, with which crop
    deconvdiff sizes --input-size 1..12 --layer "ConvTranspose1d(8, 8, 4, stride=2)" --html sizes.html
                                                     a layer in its own words, as a picture
    deconvdiff rules                                 what everybody repeats about it: true where?
    deconvdiff audit --layer "ConvTranspose2d(64, 32, 4, stride=2, padding=1)" --to jax
                                                     what a port must write, proved by running it
    deconvdiff targets                               what is installed, what it supports, and why not
    deconvdiff report .deconvdiff/results.sqlite --html report.html --junit report.xml
    deconvdiff replay 3fa9c0de1b22                   a finding again, by its id: FIXED, FAILS or ERROR
    deconvdiff replay deconvdiff.html                every finding of a report again
    deconvdiff sensitivity                           which of many planted faults a run finds and names right

    Exit status: 0 nothing found, 1 findings, 2 usage, 3 a named target could not be asked, 130 interrupted.
    """


for command in (fuzz, sizes, rules, audit, targets, report, replay, sensitivity):
    cli.add_command(command)


def main() -> NoReturn:
    """Run the command and leave with its exit status."""
    signal.signal(signal.SIGTERM, _interrupt)
    sys.exit(_status())


def _status() -> int:
    try:
        return int(cli.main(prog_name="deconvdiff", standalone_mode=False) or 0)
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except click.ClickException as error:
        error.show()
        return USAGE
    except (UsageError, InvalidField, Unavailable) as error:
        return _say(f"error: {error}", UNAVAILABLE if isinstance(error, Unavailable) else USAGE)
    except (KeyboardInterrupt, click.Abort):
        return _say("interrupted", INTERRUPTED)
    except SystemExit:
        return 0  # this is how click leaves when nobody reads stdout any more
    except OSError as error:
        return _say(f"error: cannot write: {error}", USAGE)
    except Exception:
        traceback.print_exc()
        return _say(
            "error: this is a fault of deconvdiff, not of a framework; please report the lines above", UNAVAILABLE
        )


def _say(text: str, status: int) -> int:
    click.echo(f"deconvdiff: {clean(text)}", err=True)
    return status


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001 # the signal module's signature
    raise KeyboardInterrupt
