"""Which Python runs a task: that of the program, or of the environment that its image describes."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from alula_kernel.errors import UsageError
from alula_kernel.images import ENVIRONMENT, BuildRequest, ImageBuilder, ImageDescription, decode_image

if TYPE_CHECKING:
    from alula_kernel.specs import TaskSpec


class Interpreters:
    """Finds the Python in which a task's packages are installed; `ExecutorContext.interpreter` of local executors.

    May be called from any thread.

    Args:
        builders: Gives the image builders, those that go first at the front; called when the first image is met.
        home: Folder of this machine for what is kept.
        report: Told what is being done, line by line; by default it is printed on stderr.
    """

    def __init__(
        self,
        builders: Callable[[], Sequence[ImageBuilder]],
        home: Path,
        report: Callable[[str], None] | None = None,
    ) -> None:
        self._builders = builders
        self._home = home
        self._report = report or _print
        self._known: dict[str, str] = {}
        self._building: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def __call__(self, task: TaskSpec) -> str:
        """Return the path of the Python for a task; an environment that is missing is built, which blocks.

        Raises:
            UsageError: It cannot be built; the message says what failed.
        """
        image = task.image
        if not image:
            return sys.executable
        python = self._known.get(image)
        if python is None:
            with self._lock:
                building = self._building.setdefault(image, threading.Lock())
            with building:
                python = self._known.get(image) or self._python(image, task)
                self._known[image] = python
        return python

    def _python(self, image: str, task: TaskSpec) -> str:
        description = decode_image(image)
        if description is None:
            self._report(f"task {task.id.name}: the container image {image} is not used on this machine")
            return sys.executable
        builder = environment_builder(self._builders(), description)
        return builder.build(BuildRequest(description=description, home=str(self._home), report=self._report))


def environment_builder(builders: Sequence[ImageBuilder], description: ImageDescription) -> ImageBuilder:
    """Choose the builder of an environment: the one that the image names, else the first.

    Raises:
        UsageError: There is none.
    """
    able = [builder for builder in builders if builder.makes == ENVIRONMENT]
    named = [builder for builder in able if builder.name == description.builder]
    if not able:
        raise UsageError(
            f"nothing here builds the environment of image {description.name!r}",
            hint="Image builders are registered by plugins: see alula plugins list.",
        )
    return (named or able)[0]


def _print(text: str) -> None:
    sys.stderr.write(f"alula: {text}\n")
    sys.stderr.flush()
