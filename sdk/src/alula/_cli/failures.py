"""What went wrong, as messages and exit codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from alula_kernel.errors import ActionError

FAILED = 1
"""Exit code of a failed run."""
USAGE = 2
"""Exit code of wrong use."""
INTERRUPTED = 130
"""Exit code after Ctrl-C: 128 and the number of SIGINT."""


class Terminated(KeyboardInterrupt):
    """The process was asked to end (SIGTERM, SIGHUP); handled as Ctrl-C is.

    Args:
        number: Number of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__("interrupted")
        self.exit_code = 128 + number


def guarded(command: Callable[[], int]) -> int:
    """Run a command, report what it raises, and return the exit code.

    Errors of Alula's own, which are nobody's fault but ours, are not caught.
    """
    try:
        return command()
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.exceptions.NoArgsIsHelpError as help_wanted:
        click.echo(help_wanted.message, err=True)
        return USAGE
    except click.UsageError as problem:
        say_error(problem.format_message(), _help_hint(problem))
        return USAGE
    except click.ClickException as problem:
        say_error(problem.format_message())
        return USAGE
    except click.exceptions.Abort:
        say("nothing was done; --yes answers the question beforehand")
        return FAILED
    except KeyboardInterrupt as stop:
        say(str(stop) or "interrupted")
        return getattr(stop, "exit_code", INTERRUPTED)
    except BrokenPipeError:
        # Whoever read our output has gone, as `head` does. Python would complain when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as failure:
        from alula_kernel.errors import AlulaError, EngineError

        if not isinstance(failure, AlulaError) or isinstance(failure, EngineError):
            raise
        say_error(str(failure))
        return failure.exit_code


def say(text: str) -> None:
    """Print a line for people, on stderr."""
    click.echo(text, err=True)


def say_styled(text: str, **style: Any) -> None:
    """Print text on stderr, in a style of `click.style` where that is a terminal and NO_COLOR is not set."""
    click.echo(_styled(text, **style), err=True)


def _styled(text: str, **style: Any) -> str:
    return text if os.environ.get("NO_COLOR") else click.style(text, **style)


def say_warning(text: str) -> None:
    """Print a warning on stderr."""
    say(f"{_styled('warning:', fg='yellow', bold=True)} {text}")


def say_error(text: str, hint: str = "") -> None:
    """Print what is wrong on stderr, and the next step below it."""
    say(f"{_styled('error:', fg='red', bold=True)} {text}" + (f"\n  {hint}" if hint else ""))


def _help_hint(problem: click.UsageError) -> str:
    return f"See: {problem.ctx.command_path} --help" if problem.ctx is not None else ""


def say_failure(error: ActionError, attempts: int) -> None:
    """Print which action failed, and the user's own traceback."""
    from alula_kernel.engine import ROOT_ACTION

    from .._plain import printable

    times = f" after {attempts} attempts" if attempts > 1 else ""
    name = error.name or "the run"
    place = f" ({error.action.removeprefix(f'{ROOT_ACTION}.')})" if error.action not in {"", ROOT_ACTION} else ""
    if error.traceback:
        say_error(f"{name}{place} failed{times}")
        click.echo(printable(error.traceback.rstrip()), err=True)
    else:
        say_error(f"{name}{place} failed{times}: {error.code}: {printable(error.message)}")
