"""Asking for the answer to a question of a run."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from alula_kernel.errors import AlulaError
from alula_kernel.types import NONE, display

from .._plain import printable
from .._signals import Answer, Question, give_answer

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from .._app import App


class AnswerScreen(ModalScreen[str]):
    """Asks one question; what it returns says what was done, or is empty.

    Args:
        question: The question.
        app: The application of this process.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss('')", "Back")]
    DEFAULT_CSS = """
    AnswerScreen { align: center middle; }
    AnswerScreen > Vertical { width: 70; height: auto; padding: 1 2; border: round $accent; background: $surface; }
    AnswerScreen Static { margin-bottom: 1; }
    """

    def __init__(self, question: Question, app: App) -> None:
        super().__init__()
        self._question = question
        self._application = app

    def compose(self) -> ComposeResult:
        question = self._question
        wanted = "yes or no" if question.gate == "approve" else display(question.type or NONE)
        text = Text(question.name, style="bold")
        text.append(f"  {question.gate}, {wanted}", style="dim not bold")
        for part in (question.prompt, question.description):
            if part:
                text.append(f"\n{printable(part)}", style="not bold")
        with Vertical():
            yield Static(text)
            yield Input(placeholder=f"answer: {wanted}")
            yield Static("", id="problem")

    async def on_input_submitted(self, event: Input.Submitted) -> None:
        """Give the answer; one that does not fit can be mended."""
        app, question = self._application, self._question
        try:
            answer = Answer(event.value, text=True)
            await asyncio.to_thread(give_answer, app.signals, app, question.run, question.name, answer)
        except AlulaError as problem:
            self.query_one("#problem", Static).update(Text(str(problem), style="red"))
        else:
            self.dismiss(f"answered {question.name}")
