"""AU-18: shell scripts as tasks."""

from __future__ import annotations

import os
import pickle
import time
from pathlib import Path
from typing import Any

import pytest

import alula
from alula import (
    Directory,
    File,
    OutputLocation,
    ScriptFailedError,
    ShellTask,
    current_app,
    errors,
    get_raw_shell_task,
    kwtypes,
    subproc_execute,
    task,
    workflow,
)


def cat(**settings: Any) -> ShellTask:
    return ShellTask(name="cat", script="printf %s {inputs.x}", inputs=kwtypes(x=str), **settings)


def test_a_script_runs_and_its_output_is_shown(capfd: pytest.CaptureFixture[str]) -> None:
    hello = ShellTask(name="hello", script='echo "one"\necho "two  spaces"\n\n')
    assert hello() is None
    assert capfd.readouterr().out == "one\ntwo  spaces\n"


def test_debug_shows_the_script_first(capfd: pytest.CaptureFixture[str]) -> None:
    ShellTask(name="hello", debug=True, script="echo {inputs.x}", inputs=kwtypes(x=int))(x=3)
    assert capfd.readouterr().out.split() == ["echo", "3", "3"]


@pytest.mark.parametrize(
    "text",
    [
        "plain",
        "two words",
        "$HOME",
        "`id`",
        "a'b\"c",
        "; echo injected",
        "line\nbreak",
        "-n",
        "",
        "*",
        "{inputs.x}",
        "ü\\n",
    ],
)
def test_inputs_are_quoted_for_the_shell(capfd: pytest.CaptureFixture[str], text: str) -> None:
    cat()(x=text)
    assert capfd.readouterr().out == text


def test_values_of_other_types(capfd: pytest.CaptureFixture[str]) -> None:
    show = ShellTask(
        name="show",
        script="echo {inputs.i} {inputs.f} {inputs.t} {inputs.n}",
        inputs=kwtypes(i=int, f=float, t=bool, n=bool),
    )
    show(i=-3, f=1.5, t=True, n=False)
    assert capfd.readouterr().out == "-3 1.5 true false\n"


def test_braces_of_the_shell_are_left_alone(capfd: pytest.CaptureFixture[str]) -> None:
    script = "f() { echo ${1}; }\nf a | awk '{print $1}'\nx=5; echo ${x} {inputs.y}"
    ShellTask(name="braces", script=script, inputs=kwtypes(y=int))(y=6)
    assert capfd.readouterr().out == "a\n5 6\n"


def test_files_go_in_and_out(tmp_path: Path) -> None:
    source = tmp_path / "in.txt"
    source.write_text("b\na\n")
    sort = ShellTask(
        name="sort",
        script="sort {inputs.x} > {outputs.y}; wc -l < {inputs.x} | tr -d ' ' > {outputs.n}",
        inputs=kwtypes(x=File),
        output_locs=[
            OutputLocation(var="y", var_type=File["txt"], location="{ctx.working_directory}/sorted.txt"),
            OutputLocation(var="n", var_type=int, location="{ctx.working_directory}/count"),
        ],
    )
    result = sort(x=File(str(source)))
    assert Path(result.y).read_text() == "a\nb\n"
    assert result.n == 2
    assert sort.python_interface.outputs["y"] == File["txt"]


def test_directories_and_locations_named_by_inputs(tmp_path: Path) -> None:
    make = ShellTask(
        name="make",
        script="mkdir -p {outputs.d}/sub && echo {inputs.name} > {outputs.d}/sub/file",
        inputs=kwtypes(name=str, folder=str),
        output_locs=[OutputLocation(var="d", var_type=Directory, location="{inputs.folder}/{inputs.name}")],
    )
    made = make(name="n 1", folder=str(tmp_path))
    assert (Path(made) / "sub" / "file").read_text() == "n 1\n"


def test_in_a_workflow_with_other_tasks(tmp_path: Path) -> None:
    upper = ShellTask(
        name="upper",
        script="tr a-z A-Z < {inputs.x} > {outputs.y}",
        inputs=kwtypes(x=File),
        output_locs=[OutputLocation(var="y", var_type=File, location="{ctx.working_directory}/out")],
    )

    @task
    def write(text: str) -> File:
        path = File.new("text.txt")
        Path(path.path).write_text(text)
        return path

    @task
    def read(file: File) -> str:
        return Path(file).read_text()

    @workflow
    def flow(text: str) -> str:
        return read(file=upper(x=write(text=text)))

    assert flow(text="abc") == "ABC"


def test_a_failing_script_is_an_error_with_its_last_words_and_may_be_retried(tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    script = "if [ -e {inputs.f} ]; then exit 0; fi; touch {inputs.f}; echo first try >&2; exit 7"
    once = ShellTask(name="once", script=script, inputs=kwtypes(f=str))
    run = alula.run(once, f=str(flag))
    assert run.error is not None
    assert (run.error.code, run.error.recoverable) == ("ScriptFailedError", True)
    assert "exit code 7\nfirst try" in run.error.message
    flag.unlink()
    assert (
        len(
            alula.run(ShellTask(name="twice", script=script, inputs=kwtypes(f=str), retries=1), f=str(flag))
            .actions[0]
            .attempts
        )
        == 2
    )


def test_an_output_that_is_not_there_is_named() -> None:
    lazy = ShellTask(
        name="lazy",
        script="true",
        output_locs=[OutputLocation(var="y", var_type=File, location="{ctx.working_directory}/y")],
    )
    with pytest.raises(errors.UsageError, match="the script of task lazy left no 'y' at"):
        lazy()


def test_a_script_from_a_file(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "script.sh"
    path.write_text("echo from a file {inputs.x}\n")
    ShellTask(name="file", script_file=str(path), inputs=kwtypes(x=int))(x=1)
    assert capfd.readouterr().out == "from a file 1\n"


def test_environment_shell_and_timeout(capfd: pytest.CaptureFixture[str]) -> None:
    ShellTask(name="env", script="echo $ALULA_TEST_WORD", environment={"ALULA_TEST_WORD": "word"})()
    assert capfd.readouterr().out == "word\n"
    assert "ALULA_TEST_WORD" not in os.environ
    with pytest.raises(errors.TaskTimeoutError, match=r"ran longer than 0\.3 s"):
        ShellTask(name="slow", script="sleep 30", timeout=0.3)()


def test_a_timeout_ends_what_the_script_started(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    script = "sleep 60 & echo $! > {inputs.f}; wait; echo never"
    for limit in (0.5, 5, 50):
        with pytest.raises(errors.TaskTimeoutError):
            ShellTask(name="parent", script=script, inputs=kwtypes(f=str), timeout=limit)(f=str(pid_file))
        if pid_file.exists() and pid_file.read_text():  # else the time was up before it had begun
            break
    pid = int(pid_file.read_text())
    deadline = time.monotonic() + 60
    while Path(f"/proc/{pid}").exists() and "Z" not in Path(f"/proc/{pid}/stat").read_text().split(")")[1][:3]:
        assert time.monotonic() < deadline, "the script's child is still running"
        time.sleep(0.02)


def test_caching(tmp_path: Path) -> None:
    log = tmp_path / "log"
    counted = ShellTask(
        name="counted",
        script=f"echo run >> {log}; echo {{inputs.x}} > {{outputs.y}}",
        inputs=kwtypes(x=int),
        output_locs=[OutputLocation(var="y", var_type=str, location="{ctx.working_directory}/y")],
        cache=True,
        cache_version="1",
    )
    assert counted(x=1) == counted(x=1) == "1"
    assert counted(x=2) == "2"
    assert log.read_text() == "run\nrun\n"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "needs either script or script_file"),
        ({"script": "a", "script_file": "b"}, "needs either script or script_file"),
        ({"script_file": "/does/not/exist.sh"}, "script_file '/does/not/exist.sh' does not exist"),
        ({"script": "echo {inputs.z}", "inputs": {"x": int}}, "unknown input in the script of 'wrong' 'z'"),
        ({"script": "echo {outputs.z}"}, "unknown output in the script of 'wrong' 'z'"),
        ({"script": "true", "retrys": 1}, "unknown task setting 'retrys'"),
    ],
)
def test_wrong_shell_tasks_are_refused_with_the_line(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(errors.UsageError, match=message) as caught:
        ShellTask(name="wrong", **settings)
    assert caught.value.location.startswith(f"{__file__}:")


def test_its_spec() -> None:
    spec = cat(retries=2).spec(current_app())
    assert (spec.type, spec.retries.user, list(spec.interface.inputs)) == ("shell", 2, ["x"])


def test_temporary_files_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    cat()(x="a")
    assert list(tmp_path.iterdir()) == []


def test_the_context_in_a_script(capfd: pytest.CaptureFixture[str]) -> None:
    where = ShellTask(name="where", script="cd {ctx.working_directory} && pwd && echo {ctx.execution_id}")
    run = alula.run(where)
    assert run.error is None
    folder, execution = capfd.readouterr().out.split()
    assert not Path(folder).exists()
    assert execution == f"default/development/{run.name}"
    with pytest.raises(errors.UnknownNameError, match=r"unknown attribute of ctx 'nothing'"):
        ShellTask(name="wrong", script="echo {ctx.nothing}")()


def test_a_script_given_when_the_task_runs(tmp_path: Path) -> None:
    script = tmp_path / "script.sh"
    script.write_text('printf "%s|" "$WORD" "$@" > result\nmkdir sub && echo inner > sub/file\n')
    raw = get_raw_shell_task("raw")

    @workflow
    def flow(word: str) -> Directory:
        return raw(env={"WORD": word, "OTHER": "$(id)"}, script_args="one 'two words' $HOME", script_file=str(script))

    made = Path(flow(word="a'b\"c $x"))
    assert (made / "result").read_text() == "a'b\"c $x|one|two words|$HOME|"
    assert (made / "sub" / "file").read_text() == "inner\n"
    with pytest.raises(errors.UsageError, match="does not exist"):
        raw(env={}, script_args="", script_file="/does/not/exist.sh")


def test_a_command_inside_of_a_task() -> None:
    result = subproc_execute(["printf", "%s\n\n", "two  spaces"])
    assert (result.output, result.error, result.returncode) == ("two  spaces\n\n", "", 0)
    assert subproc_execute("echo $((1 + 2)) | tr 3 4").output == "4\n"
    with pytest.raises(ScriptFailedError, match="exit code 3\nwhy") as caught:
        subproc_execute("echo why >&2; exit 3")
    assert caught.value.returncode == 3
    again = pickle.loads(pickle.dumps(caught.value))
    assert (again.returncode, again.error) == (3, "why\n")


def test_a_command_says_whether_a_shell_runs_it(tmp_path: Path) -> None:
    subproc_execute("printf one > out", shell=True, cwd=str(tmp_path))
    assert (tmp_path / "out").read_text() == "one"
    with pytest.raises(errors.UsageError, match="'printf one' was not found"):
        subproc_execute("printf one", shell=False)


def test_a_program_or_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(errors.UsageError, match=r"the program 'no-such-program' was not found\n +Install it"):
        subproc_execute(["no-such-program", "x"])
    with pytest.raises(errors.UsageError, match=r"the working directory .*gone of the command does not exist"):
        subproc_execute(["true"], cwd=str(tmp_path / "gone"))


def test_what_the_script_printed_is_kept_with_the_task(tmp_path: Path) -> None:
    path = tmp_path / "twice.sh"
    path.write_text("printf %s {inputs.x}; printf why >&2")
    twice = ShellTask(name="twice", script_file=str(path), inputs=kwtypes(x=str))
    assert (twice.script_file, twice.result) == (str(path), None)
    for word in ("a", "b"):
        twice(x=word)
        assert twice.result is not None
        assert (twice.result.output, twice.result.error, twice.result.returncode) == (word, "why", 0)
