"""A folder with plugins and other distributions in it, as discovery finds them in ``site-packages``."""

from __future__ import annotations

import os
import time
from pathlib import Path

PLUGINS = 10
OTHERS = 140

_PLUGIN = '''
"""Values of demo {number}."""

from alula_kernel.contracts import Converter, TaskType, TypeTransformer
from alula_kernel.errors import ValueConversionError
from alula_kernel.hookspecs import hookimpl
from alula_kernel.literals import Scalar
from alula_kernel.types import Opaque


class DemoConverter(Converter):
    def __init__(self):
        self.literal_type = Opaque("alula_demo_{number}.values.Demo")
        self.python_type = str

    def to_literal(self, value, context):
        if not isinstance(value, str):
            raise self.refuse(value)
        return Scalar(value)

    def to_python(self, literal, context):
        if not isinstance(literal, Scalar):
            raise ValueConversionError("expected a demo value")
        return literal.value


class DemoTransformer(TypeTransformer):
    name = "demo-{number}"
    python_types = ("alula_demo_{number}.values.Demo",)

    def converter(self, request):
        return DemoConverter()


@hookimpl
def alula_type_transformers():
    return [DemoTransformer()]


@hookimpl
def alula_task_types():
    return [TaskType(name="demo-{number}", config="alula_demo_{number}.values.Config")]
'''


def make_plugin_site(folder: Path) -> None:
    """Fill a folder with 10 plugins and 140 other distributions.

    Every plugin registers a type and a task type, so a run has to import all of them: the most that they can cost.

    Args:
        folder: The folder, which is made.
    """
    folder.mkdir(parents=True)
    for number in range(PLUGINS):
        package = folder / f"alula_demo_{number}"
        package.mkdir()
        (package / "__init__.py").write_text("")
        (package / "plugin.py").write_text(_PLUGIN.format(number=number))
        _describe(folder, f"alula_demo_{number}", f"[alula]\ndemo-{number} = alula_demo_{number}.plugin\n")
    for number in range(OTHERS):
        # About half of all distributions bring entry points of some group.
        entry_points = f"[console_scripts]\nother-{number} = other_{number}:main\n" if number % 2 else ""
        _describe(folder, f"other_{number}", entry_points)
    # A folder that changed within the last second is read anew each time.
    an_hour_ago = time.time() - 3_600
    os.utime(folder, (an_hour_ago, an_hour_ago))


def _describe(folder: Path, name: str, entry_points: str) -> None:
    metadata = folder / f"{name}-1.0.0.dist-info"
    metadata.mkdir()
    lines = ["Metadata-Version: 2.1", f"Name: {name.replace('_', '-')}", "Version: 1.0.0", "", "Text. " * 500]
    (metadata / "METADATA").write_text("\n".join(lines))
    (metadata / "RECORD").write_text("".join(f"{name}/module_{line}.py,sha256=0,100\n" for line in range(50)))
    (metadata / "WHEEL").write_text("Wheel-Version: 1.0\n")
    if entry_points:
        (metadata / "entry_points.txt").write_text(entry_points)
