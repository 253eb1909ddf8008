"""Files and modules that ``alula run`` loads, and what is wrong with them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import Answer, Write

Run = Callable[..., Answer]

TASK = """
from alula import task


@task(cache=True, cache_version="1")
def double(x: int) -> int:
    return 2 * x
"""


def refused(answer: Answer) -> str:
    assert answer.code == 2
    assert answer.out == ""
    assert answer.err.startswith("error: ")
    return answer.err


# --- what is in a file -----------------------------------------------------------------------------------------------


def test_a_file_without_an_entity_lists_its_entities_with_their_docs(alula: Run, hello: Path) -> None:
    answer = alula("run", "hello.py")
    assert answer == Answer(
        0,
        "greet  task      Greet somebody.\nhello  workflow  Say hello.\n\nIts inputs: alula run hello.py ENTITY --help\n",
        "",
    )
    assert alula("run", "hello.py", "--help").out == answer.out


def test_imported_entities_are_not_listed_but_can_be_run(alula: Run, hello: Path, write: Write) -> None:
    write("other.py", "from alula import task\nfrom hello import greet\n\n@task\ndef own() -> int:\n    return 1\n")
    assert alula("run", "other.py").out.startswith("own  task\n")
    assert "greet" not in alula("run", "other.py").out
    assert alula("run", "other.py", "greet", "--name", "x").out == "o0: Hello, x!\n"


def test_a_file_without_entities_says_so(alula: Run, write: Write) -> None:
    write("empty.py", "x = 1\n")
    assert "empty.py has no tasks, workflows or launch plans" in refused(alula("run", "empty.py"))
    assert "empty.py has no tasks, workflows or launch plans" in refused(alula("run", "empty.py", "x1"))


def test_an_unknown_entity_lists_near_matches(alula: Run, hello: Path) -> None:
    assert refused(alula("run", "hello.py", "helo")) == (
        "error: hello.py: unknown entity 'helo'\n  Did you mean 'hello'?\n"
    )


def test_a_plain_function_is_told_from_an_entity(alula: Run, write: Write) -> None:
    write("mixed.py", f"{TASK}\ndef plain() -> None: ...\nvalue = 3\nclass Thing: ...\n")
    assert "'plain' in mixed.py is a plain function" in refused(alula("run", "mixed.py", "plain"))
    assert "Decorate it with @task or @workflow" in refused(alula("run", "mixed.py", "plain"))
    assert "'value' in mixed.py is int" in refused(alula("run", "mixed.py", "value"))
    assert "'Thing' in mixed.py is type" in refused(alula("run", "mixed.py", "Thing"))


# --- names -----------------------------------------------------------------------------------------------------------


def test_a_module_is_found_by_its_name(alula: Run, write: Write) -> None:
    write("pack/__init__.py", "")
    write("pack/sub/__init__.py", "")
    write(
        "pack/sub/mod.py",
        "from . import near\nfrom alula import task\n\n@task\ndef where() -> str:\n    return near.X\n",
    )
    write("pack/sub/near.py", "X = __name__\n")
    for place in (("-m", "pack.sub.mod"), ("pack.sub.mod",), ("pack/sub/mod.py",)):
        assert alula("run", *place, "where").out == "o0: pack.sub.near\n"
    assert alula("run", "-m", "pack.sub.mod").out.startswith("where  task")


def test_a_file_in_a_package_has_one_name_from_every_folder(
    program: Run, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("pack/__init__.py", "")
    write("pack/mod.py", "from alula import task\n\n@task\ndef name() -> str:\n    return __name__\n")
    assert program("run", "pack/mod.py", "name").out == "o0: pack.mod\n"
    monkeypatch.chdir("pack")
    assert program("run", "mod.py", "name").out == "o0: pack.mod\n"
    assert program("run", "__init__.py").code == 2


def test_a_name_that_is_no_identifier_does_no_harm(alula: Run, write: Write) -> None:
    write("my-script.v2.py", TASK)
    assert alula("run", "my-script.v2.py", "double", "--x", "2").out == "o0: 4\n"


def test_plain_python_and_the_command_share_cache_keys(program: Run, write: Write) -> None:
    path = write("twice.py", f"{TASK}\nif __name__ == '__main__':\n    print(double(x=4))\n")
    done = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout == "8\n"
    answer = program("run", "twice.py", "double", "--x", "4")
    assert answer.out == "o0: 8\n"
    assert "double: cache hit" in answer.err


# --- what is wrong with a file ---------------------------------------------------------------------------------------


def test_a_missing_file_lists_near_matches(alula: Run, hello: Path) -> None:
    assert refused(alula("run", "helo.py", "x")) == "error: unknown file 'helo.py'\n  Did you mean 'hello.py'?\n"
    assert "unknown file 'nowhere/x.py'" in refused(alula("run", "nowhere/x.py"))


def test_a_folder_is_no_file(alula: Run, folder: Path) -> None:
    assert "is a folder" in refused(alula("run", str(folder)))


def test_a_file_of_another_kind_is_refused(alula: Run, write: Write) -> None:
    write("notes.txt", "x")
    assert "notes.txt is not a Python file" in refused(alula("run", "notes.txt"))


def test_a_file_that_is_not_text_is_named(alula: Run, folder: Path) -> None:
    (folder / "bytes.py").write_bytes(b"x = '\xff'\n")
    assert f"error: {folder / 'bytes.py'}" in refused(alula("run", "bytes.py"))


def test_a_missing_module_says_where_it_was_looked_for(alula: Run, folder: Path) -> None:
    said = refused(alula("run", "-m", "nowhere.at_all", "x"))
    assert said.startswith("error: there is no module 'nowhere.at_all'\n")
    assert str(folder) in said


def test_the_file_may_not_be_left_out(alula: Run) -> None:
    assert refused(alula("run", "--name", "x")) == "error: the FILE is missing\n  See: alula run --help\n"
    answer = alula("run")
    assert (answer.code, answer.out) == (2, "")
    assert "Usage: alula run" in answer.err


def test_a_syntax_error_is_shown_at_its_place(alula: Run, write: Write) -> None:
    path = write("bad.py", "import alula\n\ndef f(:\n    pass\n")
    said = refused(alula("run", "bad.py", "f"))
    assert said.startswith(f"error: {path}:3: SyntaxError: ")
    assert "    def f(:\n" in said
    assert "Traceback" not in said


def test_a_syntax_error_in_an_imported_file_is_shown_at_its_place(alula: Run, write: Write) -> None:
    broken = write("broken.py", "x = = 1\n")
    write("user.py", "import broken\n")
    assert refused(alula("run", "user.py")).startswith(f"error: {broken}:1: SyntaxError: ")


def test_an_error_at_import_shows_the_users_frames_only(alula: Run, write: Write) -> None:
    path = write("zero.py", "def f():\n    return 1 / 0\n\nf()\n")
    said = refused(alula("run", "zero.py", "f"))
    assert said.startswith("error: zero.py cannot be loaded\nTraceback (most recent call last):\n")
    assert f'File "{path}", line 4' in said
    assert said.endswith("ZeroDivisionError: division by zero\n")
    assert said.count("  File ") == 2


def test_a_missing_plugin_is_named_with_its_distribution(alula: Run, write: Write) -> None:
    write("duck.py", "from alula_xyz_abc import Query\n")
    said = refused(alula("run", "duck.py"))
    assert "No module named 'alula_xyz_abc'" in said
    assert said.endswith("\n  Install the plugin: pip install alula-xyz-abc\n")


def test_another_missing_module_is_named(alula: Run, write: Write) -> None:
    path = write("miss.py", "import nosuchlib.sub\n")
    said = refused(alula("run", "miss.py"))
    assert f'File "{path}", line 1' in said
    assert said.endswith("\n  Install the package that brings the module 'nosuchlib', or check its spelling.\n")


def test_a_name_that_alula_does_not_have_lists_near_matches(alula: Run, write: Write) -> None:
    write("port.py", "from alula import workfow\n")
    assert "\n  Did you mean workflow or " in refused(alula("run", "port.py"))


def test_a_name_of_flyte_is_told_with_the_one_here(alula: Run, write: Write) -> None:
    write("port.py", "from alula import FlyteFile\n")
    said = refused(alula("run", "port.py"))
    assert said.endswith("\nImportError: FlyteFile is called File here; see 'Coming from Flyte' in the documentation\n")


def test_a_script_that_exits_is_told_how_not_to(alula: Run, write: Write) -> None:
    write("exits.py", "import sys\nsys.exit(3)\n")
    said = refused(alula("run", "exits.py"))
    assert "exits.py ended the program while it was being loaded, with sys.exit(3)" in said
    assert '`if __name__ == "__main__":`' in said


def test_a_file_named_like_the_standard_library_is_refused(alula: Run, write: Write) -> None:
    write("random.py", TASK)
    assert "random.py has the name of the module 'random' of Python's standard library" in refused(
        alula("run", "random.py")
    )


def test_a_file_named_like_a_loaded_module_is_refused(alula: Run, write: Write) -> None:
    write("click.py", TASK)
    assert "click.py has the name of the module 'click', which is in use" in refused(alula("run", "click.py"))


# --- what is wrong with a workflow -----------------------------------------------------------------------------------


def compile_error(alula: Run, write: Write, body: str) -> str:
    write(
        "flow.py",
        f"""
from alula import task, workflow


@task
def number() -> int:
    return 1


@task
def shout(text: str) -> str:
    return text.upper()


def plain(x):
    return x


{body}
""",
    )
    said = refused(alula("run", "flow.py", "wf"))
    assert "Traceback" not in said
    assert alula("runs", "list").out == ""
    return said


def test_a_wrong_type_names_both_nodes_both_types_and_the_line(alula: Run, write: Write) -> None:
    said = compile_error(alula, write, "@workflow\ndef wf() -> str:\n    n = number()\n    return shout(text=n)\n")
    assert "flow.py:22: " in said
    for part in ("number", "shout", "int", "str", "text"):
        assert part in said


@pytest.mark.parametrize(
    "body",
    [
        "@workflow\ndef wf() -> str:\n    if number():\n        return shout(text='x')\n    return shout(text='y')\n",
        "@workflow\ndef wf() -> str:\n    return shout(text='x' * len(number()))\n",
        "@workflow\ndef wf() -> str:\n    return shout(text=str(number()))\n",
        "@workflow\ndef wf() -> str:\n    print(number())\n    return shout(text='x')\n",
        "import math\n@workflow\ndef wf() -> float:\n    return math.sqrt(number())\n",
        "@workflow\ndef wf() -> str:\n    return shout(text=open)\n",
        "import threading\n@workflow\ndef wf() -> str:\n    return shout(text=threading.Lock())\n",
        "import threading\n@workflow\ndef wf(x: threading.Thread) -> str:\n    return shout(text='x')\n",
        "@workflow\ndef wf() -> str:\n    return shout(text=plain)\n",
        "@workflow\ndef wf() -> str:\n    return shout(txt='x')\n",
        "@workflow\ndef wf() -> str:\n    return shout()\n",
        "@workflow\ndef wf() -> str:\n    a = number()\n    b = number()\n    a >> b\n    b >> a\n    return shout(text='x')\n",
        "@workflow\ndef wf(x) -> str:\n    return shout(text=x)\n",
        "@workflow\ndef wf() -> int:\n    return shout(text='x')\n",
    ],
    ids=[
        "if",
        "len",
        "str",
        "print",
        "sqrt",
        "builtin",
        "lock",
        "type",
        "function",
        "unknown",
        "missing",
        "cycle",
        "annotation",
        "output",
    ],
)
def test_a_workflow_that_cannot_be_compiled_says_where(alula: Run, write: Write, body: str) -> None:
    assert "flow.py:" in compile_error(alula, write, body)


def test_a_body_that_raises_shows_the_users_frames_only(alula: Run, write: Write) -> None:
    path = write(
        "raises.py", "from alula import workflow\n\n@workflow\ndef wf() -> None:\n    raise KeyError('in body')\n"
    )
    assert refused(alula("run", "raises.py", "wf")) == (
        "error: workflow raises.wf cannot be compiled\nTraceback (most recent call last):\n"
        f"  File \"{path}\", line 5, in wf\n    raise KeyError('in body')\nKeyError: 'in body'\n"
    )
