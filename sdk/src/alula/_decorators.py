"""Decorators of functions that become tasks, written as classes."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any


class ClassDecorator(ABC):
    """Base of decorators with settings, to be put between ``@task`` and the function.

    A subclass defines `execute`, which calls ``self.task_function`` when and as often as it likes. It can be used with and
    without parentheses::

        class loud(ClassDecorator):
            def __init__(self, task_function=None, *, word="go", **kwargs):
                self.word = word
                super().__init__(task_function, word=word, **kwargs)

            def execute(self, *args, **kwargs):
                print(self.word)
                return self.task_function(*args, **kwargs)

    Args:
        task_function: The function; None if settings come first.
        settings: The settings, with which the decorator is made again around the function.
    """

    def __init__(self, task_function: Callable[..., Any] | None = None, **settings: Any) -> None:
        self.task_function = task_function
        self._settings = settings
        if task_function is not None:
            functools.update_wrapper(self, task_function)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Decorate a function, or call the decorated one."""
        if self.task_function is None:
            return type(self)(args[0], **self._settings)
        return self.execute(*args, **kwargs)

    @abstractmethod
    def execute(self, *args: Any, **kwargs: Any) -> Any:
        """Do what the decorated function does instead of the bare one."""

    def get_extra_config(self) -> dict[str, str]:
        """Return what tools should know about it."""
        return {}
