"""``alula flyte migrate``: sources rewritten to Alula's own names, and what is left."""

from __future__ import annotations

import ast
import json
import os
import stat
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from alula_flyte.cli import group
from alula_flyte.migrate import migrate
from alula_flyte.rewrite import Rewritten, rewrite

Write = Callable[[str, str], Path]

_SAMPLES: dict[str, tuple[str, str]] = {
    "names are merged and sorted": (
        "from flytekit import task, workflow, FlyteFile\n\n\ndef f(x: FlyteFile) -> FlyteFile: ...\n",
        "from alula import File, task, workflow\n\n\ndef f(x: File) -> File: ...\n",
    ),
    "statements are merged": (
        """\
        import os
        from flytekit import task
        from flytekit.types.file import FlyteFile
        from flytekit.types.directory import FlyteDirectory

        x = [FlyteFile, FlyteDirectory, task]
        """,
        """\
        import os
        from alula import Directory, File, task

        x = [File, Directory, task]
        """,
    ),
    "aliases stay": (
        "from flytekit import FlyteFile as FF, task as task\n\nFF, task\n",
        "from alula import File as FF, task\n\nFF, task\n",
    ),
    "a module": (
        "import flyte\n\nenv = flyte.TaskEnvironment(name='a', resources=flyte.Resources(cpu=1))\n",
        "import alula\n\nenv = alula.TaskEnvironment(name='a', resources=alula.Resources(cpu=1))\n",
    ),
    "what is taken from a result is there": (
        """\
        import flyte

        env = flyte.TaskEnvironment("a")
        a = flyte.with_runcontext(name="b").run(env.task)
        a.wait()
        print(a.url, a.outputs(), env.name, env.tasks, flyte.run(f).name, flyte.run(f).outputs.aio)
        a, b = flyte.run(f)
        c = flyte.run(f)
        c = None
        c.unknown
        """,
        """\
        import alula

        env = alula.TaskEnvironment("a")
        a = alula.with_runcontext(name="b").run(env.task)
        a.wait()
        print(a.url, a.outputs(), env.name, env.tasks, alula.run(f).name, alula.run(f).outputs.aio)
        a, b = alula.run(f)
        c = alula.run(f)
        c = None
        c.unknown
        """,
    ),
    "a constructor of another name": (
        "from flyte.io import HashFunction\n\nx = HashFunction.from_fn(str)\n",
        "from alula import HashMethod\n\nx = HashMethod(str)\n",
    ),
    "a constructor of another name, from a module": (
        "import flyte.io\n\nx = flyte.io.HashFunction.from_fn(str)\n",
        "import alula\n\nx = alula.io.HashMethod(str)\n",
    ),
    "a constructor that takes other arguments stays": (
        "import flyte.io\n\nx = flyte.io.HashFunction.from_fn(fn=str)\n",
        "import flyte.io\n\nx = flyte.io.HashFunction.from_fn(fn=str)\n",
    ),
    "durable": (
        "import flyte\nimport flyte.durable\n\n\nasync def f():\n    await flyte.durable.sleep.aio(flyte.durable.time())\n",
        "import alula\n\n\nasync def f():\n    await alula.durable.sleep.aio(alula.durable.time())\n",
    ),
    "arguments that are of no use, also where it is awaited": (
        """\
        import pathlib

        import flyte


        async def f():
            flyte.init_from_config("config.yaml")
            await flyte.init_from_config.aio(root_dir=pathlib.Path("."), project="p")
        """,
        """\
        import pathlib

        import alula


        async def f():
            alula.init()
            await alula.init.aio(project="p")
        """,
    ),
    "modules below": (
        "import flyte\nimport flyte.io\n\nx: flyte.io.File\n",
        "import alula\n\nx: alula.io.File\n",
    ),
    "a module with an alias": (
        "import flytekit as fk\n\n\n@fk.task\ndef f() -> int: ...\n",
        "import alula as fk\n\n\n@fk.task\ndef f() -> int: ...\n",
    ),
    "a module from a module": (
        "from flyte import io\n\nx: io.File\n",
        "from alula import io\n\nx: io.File\n",
    ),
    "a module that Alula does not have": (
        "from flytekit.types import file\n\nx: file.FlyteFile\n",
        "import alula\n\nx: alula.File\n",
    ),
    "a name from a module below": (
        "from flyte.io import File\n\nFile\n",
        "from alula import File\n\nFile\n",
    ),
    "a star": (
        "from flytekit import *\n\n\n@task\ndef f(x: FlyteFile) -> int:\n    return len(x)\n",
        "from alula import File, task\n\n\n@task\ndef f(x: File) -> int:\n    return len(x)\n",
    ),
    "f-strings": (
        'import flytekit\n\nx = f"{flytekit.current_context()!r:>{flytekit.kwtypes}}"\n',
        'import alula\n\nx = f"{alula.current_context()!r:>{alula.kwtypes}}"\n',
    ),
    "comments and layout": (
        """\
        # one
        from flytekit import (  # two
            workflow,  # three
            # four
            task,
        )  # five

        # six
        from flytekit.types.file import FlyteFile  # seven

        x = ( FlyteFile ,task)   # eight
        """,
        """\
        # one
        from alula import (
            # four
            task,
            # two
            workflow,  # three
        )  # five

        # six
        from alula import File  # seven

        x = ( File ,task)   # eight
        """,
    ),
    "long lines": (
        "from flytekit import Resources, StructuredDataset, current_context, dynamic, kwtypes, map_task, task\n",
        "from alula import Resources, StructuredDataset, current_context, dynamic, kwtypes, map_task, task\n",
    ),
    "inside functions and blocks": (
        """\
        def f():
            from flytekit import FlyteFile
            return FlyteFile
        if x:
            import flyte
            flyte.run
        """,
        """\
        def f():
            from alula import File
            return File
        if x:
            import alula
            alula.run
        """,
    ),
    "several on a line": (
        "import os; from flytekit import task; x = 1\nif x: import flyte, sys\n",
        "import os; from alula import task; x = 1\nif x: import alula; import sys\n",
    ),
    "another variable of the same name": (
        "from flytekit import FlyteFile\n\nFlyteFile\n\n\ndef f(FlyteFile):\n    return FlyteFile\n",
        "from alula import File\n\nFile\n\n\ndef f(FlyteFile):\n    return FlyteFile\n",
    ),
    "a name that is taken": (
        "from flytekit import FlyteFile\nfrom mine import File\n\nFlyteFile, File\n",
        "from alula import File as FlyteFile\nfrom mine import File\n\nFlyteFile, File\n",
    ),
    "a name that is taken by a variable": (
        "from flytekit import FlyteFile\n\n\ndef f(File):\n    return FlyteFile(File)\n",
        "from alula import File as FlyteFile\n\n\ndef f(File):\n    return FlyteFile(File)\n",
    ),
    "two names of Flyte's that become one": (
        "from flytekit.types.file import FlyteFile\nfrom flyte.io import File\n\nFlyteFile, File\n",
        "from alula import File\n\nFile, File\n",
    ),
    "strings in annotations": (
        "from flytekit import FlyteFile\n\n\ndef f(x: 'FlyteFile') -> FlyteFile: ...\n",
        "from alula import File as FlyteFile\n\n\ndef f(x: 'FlyteFile') -> FlyteFile: ...\n",
    ),
    "what is exported": (
        "from flytekit import FlyteFile\n\n__all__ = ['FlyteFile']\n",
        "from alula import File as FlyteFile\n\n__all__ = ['FlyteFile']\n",
    ),
    "what may be missing": (
        "try:\n    from flytekit import FlyteFile\nexcept ImportError:\n    FlyteFile = None\n\nFlyteFile\n",
        "try:\n    from alula import File as FlyteFile\nexcept ImportError:\n    FlyteFile = None\n\nFlyteFile\n",
    ),
    "what is left": (
        "from flytekit import ContainerTask, task\n\nContainerTask, task\n",
        "from alula import task\nfrom flytekit import ContainerTask\n\nContainerTask, task\n",
    ),
    "what is left of a module": (
        "import flytekit\n\nflytekit.ContainerTask, flytekit.task\n",
        "import alula\nimport flytekit\n\nflytekit.ContainerTask, alula.task\n",
    ),
    "what is left of an alias": (
        "import flytekit as fk\n\nfk.ContainerTask, fk.task\n",
        "import alula\nimport flytekit as fk\n\nfk.ContainerTask, alula.task\n",
    ),
    "an unknown name": (
        "from flytekit import no_such_name\n\nno_such_name\n",
        "from flytekit import no_such_name\n\nno_such_name\n",
    ),
    "arguments that Alula does not take": (
        "from flyte import TaskEnvironment\n\nenv = TaskEnvironment(name='a', no_such_argument=1)\n",
        "from flyte import TaskEnvironment\n\nenv = TaskEnvironment(name='a', no_such_argument=1)\n",
    ),
    "attributes that Alula does not have": (
        "import flyte\n\nflyte.Image.no_such_method()\n",
        "import flyte\n\nflyte.Image.no_such_method()\n",
    ),
    "the name alula is taken": (
        "import flyte\n\nalula = 1\nflyte.run\n",
        "import alula as flyte\n\nalula = 1\nflyte.run\n",
    ),
    "retries of Flyte 1": (
        "from flytekit import task\n\n\n@task(retries=3)\ndef f(): ...\n",
        "from alula import RecoverableError, task\n\n\n@task(retries=3, retry_on=(RecoverableError,))\ndef f(): ...\n",
    ),
    "retries over several lines": (
        """\
        import flytekit

        @flytekit.task(
            cache=True,
            retries=3  # three
        )
        def f(): ...

        @flytekit.dynamic(
            retries=N,  # many
            cache=True,
        )
        def g(): ...
        """,
        """\
        import alula

        @alula.task(
            cache=True,
            retries=3,
            retry_on=(alula.RecoverableError,)  # three
        )
        def f(): ...

        @alula.dynamic(
            retries=N,  # many
            retry_on=(alula.RecoverableError,),
            cache=True,
        )
        def g(): ...
        """,
    ),
    "no retries, and those that say on what": (
        "from flytekit import task\n\ntask(retries=0), task(retries=1, retry_on=(OSError,))\n",
        "from alula import task\n\ntask(retries=0), task(retries=1, retry_on=(OSError,))\n",
    ),
    "retries of partials": (
        "import flytekit\n\nslow = partial(flytekit.task, retries=3)\n",
        "import alula\n\nslow = partial(alula.task, retries=3, retry_on=(alula.RecoverableError,))\n",
    ),
    "another kind of thing": (
        "from flytekit import FlyteContextManager\n\nFlyteContextManager.current_context()\n",
        "from flytekit import FlyteContextManager\n\nFlyteContextManager.current_context()\n",
    ),
    "a recoverable error that is taken": (
        """\
        from flytekit import task

        class RecoverableError(Exception): ...

        task(retries=1)
        """,
        """\
        from alula import RecoverableError as AlulaRecoverableError, task

        class RecoverableError(Exception): ...

        task(retries=1, retry_on=(AlulaRecoverableError,))
        """,
    ),
    "what says where the server is": (
        """\
        import flyte
        import flyte.storage

        flyte.init_from_config("config.yaml", root_dir=".", project="p")
        flyte.init(endpoint="e", storage=flyte.storage.S3.auto())
        flyte.with_runcontext(mode="remote", name="n").run(f)
        flyte.with_runcontext(
            "local",
            name="n",  # named
            annotations={},
        ).run(f)
        """,
        """\
        import alula

        alula.init(project="p")
        alula.init()
        alula.with_runcontext(name="n").run(f)
        alula.with_runcontext(
            name="n",  # named
        ).run(f)
        """,
    ),
    "nothing of Flyte's": ("import os\n\nflyte = 1\nflyte.run\n", "import os\n\nflyte = 1\nflyte.run\n"),
    "an import that nothing uses": ("import flytekit.types.file\n", "import alula\n"),
}


def _rewritten(source: str, **options: Any) -> Rewritten:
    return rewrite(textwrap.dedent(source).encode(), **options)


@pytest.mark.parametrize("sample", _SAMPLES)
def test_sources_are_rewritten(sample: str) -> None:
    before, after = _SAMPLES[sample]
    done = _rewritten(before)
    assert done.code.decode() == textwrap.dedent(after)
    ast.parse(done.code)


@pytest.mark.parametrize("sample", _SAMPLES)
def test_a_second_rewrite_changes_nothing(sample: str) -> None:
    once = _rewritten(_SAMPLES[sample][0]).code
    assert rewrite(once).code == once


@pytest.mark.parametrize("sample", _SAMPLES)
def test_line_ends_stay(sample: str) -> None:
    before, after = (textwrap.dedent(text).replace("\n", "\r\n").encode() for text in _SAMPLES[sample])
    assert rewrite(before).code == after


@pytest.mark.parametrize(
    ("head", "encoding"), [("\ufeff", "utf-8"), ("# coding: latin-1\n", "latin-1"), ("# \N{SNOWMAN}\n", "utf-8")]
)
def test_encodings_stay(head: str, encoding: str) -> None:
    before = f"{head}from flytekit import task\n\nx = 'é'\n".encode(encoding)
    assert rewrite(before).code == before.replace(b"flytekit", b"alula")


@pytest.mark.parametrize(
    ("source", "line", "expected"),
    [
        ("from flytekit import ContainerTask\n\nContainerTask\n", 3, "Alula has no flytekit.ContainerTask: "),
        ("import flyte\n\nflyte.no_such\n", 3, "alula-flyte does not know flyte.no_such"),
        ("import flyte\n\nprint(flyte)\n", 3, "the module flyte is used as a value"),
        ("import flyte\n\nx: 'flyte.run'\n", 3, "an annotation that is a string refers to flyte"),
        ("try:\n    import flyte\nexcept E:\n    flyte = 0\nflyte.run\n", 5, "flyte may stand for something else here"),
        (
            "import flyte\nflyte.TaskEnvironment(bad=1)\n",
            2,
            "alula.TaskEnvironment takes no argument bad; flyte.TaskEnvironment does",
        ),
        ("from flyte.io import File\nFile.bad\n", 2, "alula.File has no bad; flyte.io.File does"),
        ("import flyte\nflyte.run(f).abort()\n", 2, "Alula's Run has no abort; what flyte.run gives does"),
        ("import flyte\nr = flyte.run(f)\nr.wait()\nr.abort()\n", 4, "Alula's Run has no abort; "),
        (
            "import flyte\nasync def g():\n    r = await flyte.with_runcontext().run.aio(f)\n    r.action\n",
            4,
            "Alula's Run has no action; what flyte.with_runcontext gives does",
        ),
        (
            "from flyte import TaskEnvironment\nenv = TaskEnvironment('a')\n@env.sandbox.orchestrator\ndef f(): ...\n",
            3,
            "Alula's TaskEnvironment has no sandbox; what flyte.TaskEnvironment gives does",
        ),
        ("from flyteplugins.echo import Echo\nEcho()\n", 2, "flyteplugins.echo.Echo has no name of Alula's own: "),
        ("from flytekit import task\ntask(**x)\n", 2, "the arguments may have retries of Flyte 1 "),
        ("from flytekit import task\n@task\ndef f(): f.with_overrides(retries=2)\n", 3, "retries of Flyte 1 "),
        ("import flyte\n@flyte.env.task\ndef f(x): flyte.run\n", 3, "the parameter x has no annotation: "),
        (
            "from flytekit import task\nclass A: ...\n@task\ndef f() -> A: ...\n",
            4,
            "values of A are pickled by Flyte: ",
        ),
        ("from flytekit import TaskMetadata\nTaskMetadata(retries=2)\n", 2, "retries of Flyte 1 "),
    ],
)
def test_what_is_left_is_told(source: str, line: int, expected: str) -> None:
    left = [note for note in rewrite(source.encode()).left if note.text.startswith(expected)]
    assert line in {note.line for note in left}


def test_what_python_warns_of_does_not_matter() -> None:
    source = b"from flytekit import task\n\nx: '\\d' = '\\d'\n"
    assert rewrite(source).code == source.replace(b"flytekit", b"alula")


def test_notes_tell_what_differs() -> None:
    done = _rewritten("from flytekit import task\n\ntask(retries=2)\n")
    told = [(note.line, note.text.partition(":")[0]) for note in done.notes]
    assert told == [
        (1, "flytekit.task is alula.task now, without what is adapted"),
        (3, "retry_on=(RecoverableError,) was added"),
    ]
    assert done.names == {"flytekit.task"}


def test_names_that_others_import_stay(write: Write, tmp_path: Path) -> None:
    write("kinds.py", "from flytekit import FlyteFile, FlyteDirectory\n\nFlyteFile, FlyteDirectory\n")
    write("main.py", "from kinds import FlyteFile\n")
    write("pack/__init__.py", "from flytekit import FlyteFile\n")
    code = {Path(path).name: code.decode() for path, code in migrate(tmp_path).changed.items()}
    assert code["kinds.py"] == "from alula import Directory, File as FlyteFile\n\nFlyteFile, Directory\n"
    assert code["__init__.py"] == "from alula import File as FlyteFile\n"


@pytest.mark.parametrize("user", ["import kinds\n\nkinds.FlyteFile\n", "from kinds import *\n"])
def test_names_that_others_use_stay(user: str, write: Write, tmp_path: Path) -> None:
    write("kinds.py", "from flytekit import FlyteFile\n")
    write("main.py", user)
    assert list(migrate(tmp_path).changed.values()) == [b"from alula import File as FlyteFile\n"]


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(group, ["migrate", *arguments], standalone_mode=False)


def test_the_command_shows_a_diff(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = write("a.py", "from flytekit import task\n")
    done = _run("a.py")
    assert done.return_value == 0
    assert done.stdout == "--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-from flytekit import task\n+from alula import task\n"
    assert done.stderr.startswith("1 of 1 files to rewrite; names of Flyte's that become Alula's: 1\n")
    assert path.read_text() == "from flytekit import task\n"
    assert _run("a.py", "--check").return_value == 1


def test_the_command_writes(write: Write, tmp_path: Path) -> None:
    path = write("a/b.py", "from flytekit import task\n")
    other = write("a/c.py", "print('flyte')\n")
    path.chmod(0o750)
    link = tmp_path / "link.py"
    link.symlink_to(path)
    before = os.stat(other).st_mtime_ns
    done = _run(str(tmp_path), "--write")
    assert (done.return_value, done.stdout) == (0, "")
    assert path.read_text() == "from alula import task\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o750
    assert link.is_symlink()
    assert os.stat(other).st_mtime_ns == before
    assert sorted(file.name for file in path.parent.iterdir()) == ["b.py", "c.py"]
    again = _run(str(tmp_path), "--write", "--check")
    assert again.return_value == 0
    assert again.stderr.startswith("0 of 3 files rewritten")


def test_files_that_cannot_be_rewritten_are_named(write: Write, tmp_path: Path) -> None:
    write("broken.py", "import flytekit\ndef (\n")
    write("book.ipynb", '{"cells": [{"cell_type": "code", "source": "import flyte"}]}')
    write("fine.py", "import flytekit\n")
    done = _run(str(tmp_path), "--write")
    assert (tmp_path / "fine.py").read_text() == "import alula\n"
    assert "broken.py: line 2" in done.stderr
    assert "book.ipynb: notebooks are not rewritten" in done.stderr


def test_many_files_are_rewritten_in_several_processes(write: Write, tmp_path: Path) -> None:
    for number in range(30):
        write(f"m{number:02}.py", "import flytekit\n" if number != 7 else "import flytekit\ndef (\n")
    told: list[tuple[int, int]] = []
    migration = migrate(tmp_path, lambda done, total: told.append((done, total)))
    assert set(migration.changed.values()) == {b"import alula\n"}
    assert [Path(path).stem for path in migration.changed] == [f"m{number:02}" for number in range(30) if number != 7]
    assert [Path(file.path).name for file in migration.unreadable] == ["m07.py"]
    assert told == [(number, 30) for number in range(1, 31)]


def test_few_places_are_shown_of_what_is_to_know(write: Write, tmp_path: Path) -> None:
    write("a.py", "import flyte\n" + "flyte.map(f, [1])\n" * 5)
    shown = _run(str(tmp_path)).stderr
    assert ["a.py:" in line for line in shown.splitlines()].count(True) == 3
    assert "      and 2 more\n" in shown


_FLYTE_1 = '''\
"""Greets."""

import typing

import flytekit as fk
from flytekit import (
    FlyteFile,  # a file
    Resources,
    task,
    workflow,
)
from flytekit.exceptions.user import FlyteRecoverableException

attempts: typing.List[str] = []


@task(requests=Resources(cpu="1"), retries=2)
def greet(name: str) -> str:
    attempts.append(name)
    if len(attempts) < 2:
        raise FlyteRecoverableException("again")
    return f"Hello, {name}! ({len(attempts)})"


@task
def stored(text: str) -> FlyteFile:
    path = f"{fk.current_context().working_directory}/greeting.txt"
    with open(path, "w") as file:
        file.write(text)
    return FlyteFile(path)


@fk.task
def size(file: FlyteFile) -> int:
    with open(file) as lines:
        return len(lines.read())


@workflow
def wf(name: str = "you") -> typing.Tuple[str, int]:
    text = greet(name=name)
    return text, size(file=stored(text=text))


if __name__ == "__main__":
    print(*wf(name="Ada"))
'''

_FLYTE_2 = """\
import asyncio

import flyte
import flyte.io

env = flyte.TaskEnvironment(name="squares", resources=flyte.Resources(cpu=1, memory="100Mi"))


@env.task
async def square(x: int) -> int:
    return x * x


@env.task
async def total(n: int = 4) -> int:
    with flyte.group("squares"):
        return sum(await asyncio.gather(*(square(x) for x in range(n))))


@env.task
async def kept(n: int = 4) -> flyte.io.File:
    with open("total.txt", "w") as out:
        out.write(str(await total(n)))
    return await flyte.io.File.from_local("total.txt")


if __name__ == "__main__":
    flyte.init()
    run = flyte.run(total, n=5)
    run.wait()
    print(run.outputs()[0])
"""


@pytest.mark.parametrize(
    ("source", "entity", "inputs", "printed"),
    [(_FLYTE_1, "wf", ["--name", "Ada"], "Hello, Ada! (2) 15"), (_FLYTE_2, "total", ["--n", "5"], "30")],
    ids=["Flyte 1", "Flyte 2"],
)
def test_a_migrated_program_gives_the_same_without_the_adapter(
    source: str,
    entity: str,
    inputs: list[str],
    printed: str,
    write: Write,
    python: Callable[..., Any],
    alula: Callable[..., Any],
) -> None:
    path = write("program.py", source)
    with_adapter = python("-m", "alula_flyte", "program.py")
    run_before = alula("run", "--flyte", "--output", "json", "program.py", entity, *inputs)
    assert _run(str(path), "--write").return_value == 0
    assert "flyte" not in path.read_text()
    plain = python("program.py")
    run_after = alula("run", "--output", "json", "program.py", entity, *inputs)
    assert (with_adapter.code, plain.code) == (0, 0), plain.err
    assert with_adapter.out.strip() == plain.out.strip() == printed
    assert (run_before.code, run_after.code) == (0, 0), run_after.err
    assert _outputs(run_before.out) == _outputs(run_after.out)


def _outputs(text: str) -> Any:
    return json.loads(text)["outputs"]


def test_steps_of_images_that_say_nothing_are_taken_out() -> None:
    source = textwrap.dedent(
        """\
        import flyte

        image = (
            flyte.Image.from_debian_base(python_version=(3, 12), install_flyte=False)
            .with_pip_packages("a")
            .with_code_bundle()
            .with_apt_packages("b")
        ).with_pixi_project("pixi.toml")
        other = image.with_local_v2().clone(name="other", registry_secret="secret", addl_layer=None)
        project = image.with_uv_project("pyproject.toml", project_install_mode="install_project")
        """
    )
    found = rewrite(source.encode())
    assert found.code.decode() == textwrap.dedent(
        """\
        import alula

        image = (
            alula.Image.from_debian_base(python_version=(3, 12))
            .with_pip_packages("a")
            .with_apt_packages("b")
        )
        other = image.clone(name="other")
        project = image.with_uv_project("pyproject.toml")
        """
    )
    assert [(note.line, note.text.split(" was taken out")[0]) for note in found.notes if "taken out" in note.text] == [
        (4, "the argument install_flyte"),
        (6, "the step with_code_bundle of an image"),
        (8, "the step with_pixi_project of an image"),
        (9, "the argument addl_layer"),
        (9, "the argument registry_secret"),
        (9, "the step with_local_v2 of an image"),
        (10, "the argument project_install_mode"),
    ]
    assert rewrite(found.code).code == found.code


def test_methods_of_these_names_stay_where_there_is_no_image() -> None:
    source = b"import flyte\n\nflyte.init()\nx.with_code_bundle().clone(extendable=True)\n"
    assert b"x.with_code_bundle().clone(extendable=True)" in rewrite(source).code
