"""``alula signal``: answer what a run asks."""

from __future__ import annotations

import click

from alula_kernel.types import NONE, display

from .._app import current_app
from .._plain import printable
from .._signals import Answer, give_answer
from .failures import say
from .tables import table


@click.command("signal")
@click.argument("run")
@click.argument("name", required=False)
@click.argument("value", required=False)
def command(run: str, name: str | None, value: str | None) -> None:
    r"""Answer a question that a run waits for: a condition, an approval or an input.

    RUN is the name of the run. Without NAME and VALUE, its questions are listed.

    \b
      alula signal nightly-7                    what the run asks
      alula signal nightly-7 deploy true        answer the condition `deploy`
    """
    app = current_app()
    if name is None:
        asked = app.signals.questions(run)
        rows = [(q.name, q.gate, display(q.type or NONE), printable(q.prompt or q.description)) for q in asked]
        if rows:
            click.echo(table(rows, header=("NAME", "KIND", "TYPE", "QUESTION")))
        else:
            say(f"run {run} waits for no answer")
        return
    if value is None:
        raise click.UsageError("the VALUE is missing")
    answered = give_answer(app.signals, app, run, name, Answer(value, text=True))
    say(f"answered {', '.join(question.action for question in answered)}")
