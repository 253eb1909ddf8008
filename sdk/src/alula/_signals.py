"""Where runs ask questions, and other processes answer them: two small files per question under ``<home>/signals``."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from typing import Any

import msgspec

from alula_kernel.errors import ConditionNotFoundError, UsageError
from alula_kernel.types import LiteralType

_GRACE_SECONDS = 1.0


class Question(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A question that a run waits to have answered.

    Attributes:
        run: Name of the run.
        action: Id of the gate's action.
        gate: ``approve``, ``input`` or ``condition``.
        name: Name by which the answer is given.
        type: Type of the answer.
        prompt: The question.
        description: What a person should know to answer.
    """

    run: str
    action: str
    gate: str
    name: str
    type: LiteralType | None = None
    prompt: str = ""
    description: str = ""


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """An answer as it was given.

    Attributes:
        value: Plain data, or text.
        text: Whether it is text as a person wrote it, still to be read as a value of the type.
    """

    value: Any
    text: bool = False


class Signals:
    """The questions of the runs of this machine.

    Args:
        folder: Where they are kept; made when the first one is asked.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder

    # --- the run -----------------------------------------------------------------------------------------------------

    def ask(self, question: Question) -> None:
        """Let others see a question. An answer that was given while nobody ran stays."""
        _write(self._path(question, "question"), question)

    def answer_to(self, question: Question) -> Answer | None:
        """Return the answer to a question and take it away; None if there is none yet."""
        path = self._path(question, "answer")
        if not os.path.exists(path):
            return None
        with open(path, "rb") as file:
            answer = msgspec.json.decode(file.read(), type=Answer)
        os.remove(path)
        return answer

    def withdraw(self, question: Question) -> None:
        """Remove a question and what was answered to it. Idempotent."""
        for kind in ("question", "answer"):
            with contextlib.suppress(FileNotFoundError):
                os.remove(self._path(question, kind))
        try:
            os.rmdir(self._run_folder(question.run))
        except OSError:  # the run has other questions
            pass

    # --- others ------------------------------------------------------------------------------------------------------

    def questions(self, run: str) -> list[Question]:
        """Return what a run asks now."""
        return sorted(self._asked(run), key=lambda question: (question.name, question.action))

    def answer(self, run: str, name: str, answer: Answer) -> list[Question]:
        """Answer the questions of a name that a run asks now, and return them.

        Raises:
            ConditionNotFoundError: There is none.
        """
        asked = self.questions(run)
        found = [question for question in asked if question.name == name]
        if not found:
            if not asked:
                raise ConditionNotFoundError(
                    f"run {run!r} waits for no answer", hint="See what it does: alula runs show " + run
                )
            raise ConditionNotFoundError.among(
                "question", name, {question.name for question in asked}, location=f"run {run}"
            )
        for question in found:
            _write(self._path(question, "answer"), answer)
        return found

    # --- files -------------------------------------------------------------------------------------------------------

    def _asked(self, run: str) -> Iterator[Question]:
        folder = self._run_folder(run)
        if not os.path.isdir(folder):
            return
        for name in os.listdir(folder):
            if name.endswith(".question"):
                try:
                    with open(os.path.join(folder, name), "rb") as file:
                        yield msgspec.json.decode(file.read(), type=Question)
                except FileNotFoundError:  # answered just now
                    continue

    def _path(self, question: Question, kind: str) -> str:
        return os.path.join(self._run_folder(question.run), f"{_file_name(question.action)}.{kind}")

    def _run_folder(self, run: str) -> str:
        return os.path.join(self._folder, _file_name(run))


def _file_name(text: str) -> str:
    """Return a file name for any text: itself if it is short and plain, else its hash."""
    if len(text) <= 100 and text.replace("-", "").replace("_", "").isalnum() and text.isascii():
        return text
    import hashlib

    return hashlib.sha256(text.encode()).hexdigest()


def _write(path: str, value: msgspec.Struct) -> None:
    """Write a file that appears whole or not at all."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    draft = f"{path}.{os.getpid()}"
    with open(draft, "wb") as file:
        file.write(msgspec.json.encode(value))
    os.replace(draft, path)


def signal(run: str, name: str, value: Any) -> None:
    """Answer a question that a run of this machine waits for: a condition, an approval or an input.

    Args:
        run: Name of the run.
        name: Name of the question.
        value: The answer: None, a bool, number, string, list or dict, of the question's type.

    Raises:
        ConditionNotFoundError: The run asks no such question.
        ValueConversionError: The value does not fit the question's type.
        UsageError: The value is no plain data.
    """
    from ._app import current_app

    app = current_app()
    try:
        answer = Answer(msgspec.json.decode(msgspec.json.encode(value)))
    except (TypeError, msgspec.MsgspecError) as problem:
        raise UsageError(f"the answer to {name!r} must be plain data: {problem}") from None
    give_answer(app.signals, app, run, name, answer)


def give_answer(signals: Signals, app: Any, run: str, name: str, answer: Answer) -> list[Question]:
    """Check an answer against the type of the question, and give it.

    A question that a task in another process has just asked may be on its way, so that one that is not there is waited for
    a moment.
    """
    from ._gates import answer_value

    deadline = time.monotonic() + _GRACE_SECONDS
    while not any(question.name == name for question in signals.questions(run)) and time.monotonic() < deadline:
        time.sleep(_GRACE_SECONDS / 20)
    for question in signals.questions(run):
        if question.name == name:
            answer_value(app, question.gate, question.type, name, answer)
    return signals.answer(run, name, answer)


__all__ = ["Answer", "Question", "Signals", "give_answer", "signal"]
