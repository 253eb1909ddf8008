"""Where workers find code: source that lies here, bundles, pickles, and what is said when it is not there."""

from __future__ import annotations

import hashlib
import shutil
import sys
from typing import Any

import msgspec
import pytest

from alula import App, TaskEnvironment, task, worker, workflow
from alula._app import current_app
from alula._bundle import code_for
from alula_kernel.contracts import SUCCEEDED, SYSTEM_FAILURE, USER_FAILURE, Attempt, CodeReference, Outcome
from alula_kernel.errors import UnknownNameError, UsageError
from alula_kernel.literals import Literal, Scalar
from alula_kernel.worker_protocol import load_outcome, store_attempt


def attempt_of(entity: Any, code: CodeReference | None, inputs: dict[str, Any], prefix: str) -> Attempt:
    literals: dict[str, Literal] = {name: Scalar(value) for name, value in inputs.items()}
    spec = entity.spec(current_app())
    return Attempt(
        id="r/a0/1", run="r", action="a0", number=1, task=spec, inputs=literals, code=code, output_prefix=prefix
    )


@pytest.fixture
def run_alone(project: Any, tmp_path: Any) -> Any:
    """Run a task in `python -m alula.worker --attempt`, and return its outcome and the process."""

    def run(entity: Any, code: CodeReference | None, **inputs: Any) -> tuple[Outcome | None, Any]:
        storage = current_app().storage
        prefix = str(tmp_path / "attempt")
        uri = store_attempt(storage, attempt_of(entity, code, inputs, prefix))
        process = project.python("-m", "alula.worker", "--attempt", uri)
        return load_outcome(storage, prefix), process

    return run


def outcome_of(result: tuple[Outcome | None, Any]) -> Outcome:
    outcome, process = result
    assert outcome is not None, process.stderr
    assert process.returncode == (0 if outcome.kind == SUCCEEDED else 1)
    return outcome


# --- source that lies here ------------------------------------------------------------------------------------------


def test_source_is_found_from_its_package_root(project: Any, run_alone: Any) -> None:
    project.write("shop/__init__.py", "")
    module = project.load(
        "shop.tills", "from alula import task\n\n@task\ndef count(n: int) -> int:\n    return n + 1\n"
    )
    code = code_for(module.count)
    assert (code.kind, code.search_path[0]) == ("here", str(project.root))
    assert outcome_of(run_alone(module.count, code, n=1)).outputs == {"o0": Scalar(2)}


def test_source_that_was_edited_is_told_apart(project: Any) -> None:
    module = project.load("edited", "from alula import task\n\n@task\ndef t() -> int:\n    return 1\n")
    before = code_for(module.t)
    assert code_for(module.t) == before
    project.write("edited.py", "from alula import task\n\n@task\ndef t() -> int:\n    return 22\n")
    assert code_for(module.t).digest != before.digest


def test_other_folders_of_the_search_path_that_were_used_come_along(
    project: Any, run_alone: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = tmp_path / "library"
    library.mkdir()
    (library / "rates_of_library.py").write_text("RATE = 7\n")
    monkeypatch.syspath_prepend(str(library))
    module = project.load(
        "uses_rates",
        "import rates_of_library\nfrom alula import task\n\n@task\ndef rate() -> int:\n    return rates_of_library.RATE\n",
    )
    code = code_for(module.rate)
    del sys.modules["rates_of_library"]
    assert code.search_path[:2] == (str(project.root), str(library))
    assert not any("lib/python" in folder for folder in code.search_path), "what is installed is there anyway"
    assert outcome_of(run_alone(module.rate, code)).outputs == {"o0": Scalar(7)}


def test_an_unknown_style_is_refused_with_those_that_there_are(project: Any) -> None:
    module = project.load("styled", "from alula import task\n\n@task\ndef t() -> int:\n    return 1\n")
    with pytest.raises(UnknownNameError, match="loaded_modules"):
        code_for(module.t, "zip")


# --- what is not there ----------------------------------------------------------------------------------------------


def test_a_missing_module_is_named_with_where_it_was_looked_for(project: Any, run_alone: Any) -> None:
    module = project.load("gone", "from alula import task\n\n@task\ndef t() -> int:\n    return 1\n")
    outcome = outcome_of(run_alone(module.t, CodeReference(search_path=("/nowhere",))))
    assert outcome.kind == SYSTEM_FAILURE
    assert outcome.error is not None
    assert "there is no module 'gone'" in outcome.error.message
    assert "/nowhere" in outcome.error.message
    assert not outcome.error.recoverable


def test_a_missing_dependency_is_named(project: Any, run_alone: Any) -> None:
    module = project.load("needy", "from alula import task\n\n@task\ndef t() -> int:\n    return 1\n")
    code = code_for(module.t)
    project.write("needy.py", "import no_such_package\n")
    outcome = outcome_of(run_alone(module.t, code))
    assert outcome.kind == SYSTEM_FAILURE
    assert outcome.error is not None
    assert "imports 'no_such_package', which is not there" in outcome.error.message
    assert "needy.py" in outcome.error.traceback


def test_a_missing_task_is_named(project: Any, run_alone: Any) -> None:
    module = project.load("changed", "from alula import task\n\n@task\ndef t() -> int:\n    return 1\n")
    code = code_for(module.t)
    project.write("changed.py", "other = 1\n")
    outcome = outcome_of(run_alone(module.t, code))
    assert outcome.kind == SYSTEM_FAILURE
    assert outcome.error is not None
    assert "module changed has no task, workflow or launch plan 't'" in outcome.error.message


def test_an_exception_of_the_users_module_is_the_users(project: Any, run_alone: Any) -> None:
    module = project.load("raises", "from alula import task\n\n@task\ndef t() -> int:\n    return 1\n")
    code = code_for(module.t)
    project.write("raises.py", "\n\nraise RuntimeError('no config')\n")
    outcome = outcome_of(run_alone(module.t, code))
    assert outcome.kind == USER_FAILURE
    assert outcome.error is not None
    assert (outcome.error.code, outcome.error.message) == ("RuntimeError", "no config")
    assert 'raises.py", line 3' in outcome.error.traceback
    assert "importlib" not in outcome.error.traceback


def test_a_module_that_exits_is_the_users_failure(project: Any, run_alone: Any) -> None:
    module = project.load("exits", "from alula import task\n\n@task\ndef t() -> int:\n    return 1\n")
    code = code_for(module.t)
    project.write("exits.py", "import sys\nsys.exit(3)\n")
    outcome = outcome_of(run_alone(module.t, code))
    assert outcome.kind == USER_FAILURE
    assert outcome.error is not None
    assert outcome.error.code == "SystemExit"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (CodeReference(kind="egg"), "unknown kind 'egg'"),
        (CodeReference(kind="bundle", digest="../../etc"), "not the SHA-256"),
        (CodeReference(kind="bundle", digest="0" * 64, uri="/nowhere/code.tar.gz"), "nowhere"),
        (CodeReference(kind="pickle", digest="0" * 64, uri="/nowhere/tasks.pickle"), "nowhere"),
    ],
)
def test_a_bad_reference_is_a_failure_of_the_platform(project: Any, code: CodeReference, said: str) -> None:
    module = project.load("well", "from alula import task\n\n@task\ndef t() -> int:\n    return 1\n")
    outcome = worker.run_attempt(attempt_of(module.t, code, {}, ""))
    assert outcome.kind == SYSTEM_FAILURE
    assert outcome.error is not None
    assert said in outcome.error.message
    assert outcome.error.recoverable == ("nowhere" in said)


def test_variables_of_the_task_are_there_when_its_module_is_imported(project: Any, run_alone: Any) -> None:
    module = project.load(
        "reads_environment",
        """
        import os

        from alula import task

        COLOR = os.environ.get("COLOR", "none")

        @task(environment={"COLOR": "red"})
        def color() -> str:
            return COLOR
        """,
    )
    assert outcome_of(run_alone(module.color, code_for(module.color))).outputs == {"o0": Scalar("red")}


# --- bundles --------------------------------------------------------------------------------------------------------

SHOP = {
    "shop/__init__.py": "",
    "shop/prices.py": "RATE = 3\n",
    "shop/unused.py": "UNUSED = 1\n",
    "shop/rates/today.txt": "4",
    "shop/orders.py": """
        from pathlib import Path

        from alula import TaskEnvironment, task

        from .prices import RATE

        env = TaskEnvironment("orders", include=("rates",))

        @env.task
        def price(amount: int) -> int:
            return amount * RATE

        @env.task
        def today() -> int:
            return int((Path(__file__).parent / "rates" / "today.txt").read_text())

        @env.task
        def lazy() -> int:
            from .unused import UNUSED
            return UNUSED
        """,
}


@pytest.fixture
def shop(project: Any) -> Any:
    for name, source in SHOP.items():
        project.write(name, source)
    return project.load("shop.orders")


@pytest.fixture
def without_source(project: Any) -> Any:
    """Take the source away, as if the worker ran on another machine."""
    return lambda: shutil.rmtree(project.root)


def test_a_bundle_of_the_loaded_modules(shop: Any, run_alone: Any, without_source: Any) -> None:
    code = code_for(shop.price, "loaded_modules")
    without_source()
    assert code.kind == "bundle"
    assert outcome_of(run_alone(shop.price, code, amount=2)).outputs == {"o0": Scalar(6)}
    assert outcome_of(run_alone(shop.today, code)).outputs == {"o0": Scalar(4)}
    outcome = outcome_of(run_alone(shop.lazy, code))
    assert outcome.error is not None
    assert "shop.unused" in outcome.error.message, "it was not imported when the bundle was made"


def test_a_bundle_of_everything(shop: Any, run_alone: Any, without_source: Any) -> None:
    code = code_for(shop.price, "all")
    without_source()
    assert outcome_of(run_alone(shop.lazy, code)).outputs == {"o0": Scalar(1)}


def test_a_bundle_is_unpacked_once(shop: Any, alula_home: Any) -> None:
    code = code_for(shop.price, "loaded_modules")
    worker.load_code(code)
    folder = alula_home / "code" / code.digest
    assert (folder / "shop" / "orders.py").exists()
    assert sys.path[0] == str(folder)
    (folder / "mark").write_text("")
    App().loaded_code.clear()
    current_app().loaded_code.clear()
    worker.load_code(code)
    assert (folder / "mark").exists()
    assert [path.name for path in (alula_home / "code").iterdir()] == [code.digest], "nothing is left of the unpacking"
    sys.path.remove(str(folder))


def test_a_bundle_that_was_made_is_made_again_only_after_a_change(shop: Any, project: Any) -> None:
    first = code_for(shop.price, "all")
    assert code_for(shop.price, "all") is first
    project.write("shop/prices.py", "RATE = 33\n")
    assert code_for(shop.price, "all").digest != first.digest


def test_a_wider_root_holds_several_search_paths(
    project: Any, run_alone: Any, without_source: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write("lib/tariffs_of_lib.py", "TARIFF = 9\n")
    project.write(
        "app/tasks_of_app.py",
        "import tariffs_of_lib\nfrom alula import task\n\n@task\ndef tariff() -> int:\n    return tariffs_of_lib.TARIFF\n",
    )
    monkeypatch.syspath_prepend(str(project.root / "lib"))
    monkeypatch.syspath_prepend(str(project.root / "app"))
    module = project.load("tasks_of_app")
    code = code_for(module.tariff, "loaded_modules", root=project.root)
    without_source()
    assert outcome_of(run_alone(module.tariff, code)).outputs == {"o0": Scalar(9)}
    assert code.search_path == (".", "app", "lib")


def test_an_executor_elsewhere_gets_a_bundle(shop: Any, far_away: Any) -> None:
    assert far_away.run(shop.price, amount=5).result == 15
    assert far_away.executor.attempts[0].code.kind == "bundle"


def test_an_executor_here_gets_a_search_path(shop: Any, elsewhere: Any) -> None:
    assert elsewhere.run(shop.price, amount=5).result == 15
    assert elsewhere.executor.attempts[0].code.kind == "here"


def test_a_run_says_how_its_code_is_sent(shop: Any, without_source: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import alula

    codes: list[CodeReference | None] = []
    run_values = alula._run.run_values

    def spy(entity: Any, args: Any, kwargs: Any, options: Any) -> Any:
        codes.append(options.code)
        return run_values(entity, args, kwargs, options=options)

    monkeypatch.setattr("alula._run.run_values", spy)
    for style in ("all", "none", ""):
        assert alula.with_runcontext(copy_style=style).run(shop.price, amount=1).result == 3
    assert [code and (code.kind, bool(code.search_path)) for code in codes] == [("bundle", True), ("here", False), None]


# --- pickles --------------------------------------------------------------------------------------------------------


def test_a_task_of_a_function_is_pickled(elsewhere: Any) -> None:
    offset = 100

    @task
    def shift(x: int) -> int:
        return x + offset

    @task
    def twice(x: int) -> int:
        return shift(x=x) + shift(x=x + 1)

    @workflow
    def flow(x: int) -> int:
        return twice(x=shift(x=x))

    run = elsewhere.run(flow, x=1)
    assert run.result == 403
    assert elsewhere.executor.attempts[0].code.kind == "pickle"


def test_a_pickled_task_may_call_itself(elsewhere: Any) -> None:
    @task
    def countdown(n: int) -> int:
        return 0 if n == 0 else 1 + countdown(n=n - 1)

    assert elsewhere.run(countdown, n=3).result == 3


def test_closures_of_one_name_are_told_apart(elsewhere: Any) -> None:
    def times(factor: int) -> Any:
        @task
        def multiply(x: int) -> int:
            return x * factor

        return multiply

    tasks = [times(factor) for factor in (2, 3, 5)]

    @task
    def mixed(x: int) -> int:
        return sum(t(x=x) * 10**i for i, t in enumerate(tasks))

    @workflow
    def flow(x: int) -> tuple[int, int, int]:
        return tasks[2](x=x), tasks[0](x=x), mixed(x=x)

    run = elsewhere.run(flow, x=1)
    assert run.result == (5, 2, 532)
    versions = {
        attempt.task.id.version for attempt in elsewhere.executor.attempts if "multiply" in attempt.task.id.name
    }
    assert versions == {"", "~2", "~3"}


def test_a_pickled_task_uses_tasks_of_modules_by_reference(project: Any, elsewhere: Any) -> None:
    module = project.load("stored", "from alula import task\n\n@task\ndef inc(x: int) -> int:\n    return x + 1\n")

    @task
    def calls(x: int) -> int:
        return module.inc(x=x) * 10

    assert elsewhere.run(calls, x=1).result == 20


def test_a_pickle_for_another_machine_holds_the_modules_too(project: Any, far_away: Any, without_source: Any) -> None:
    main = project.write(
        "script.py",
        """
        import shutil, sys
        from pathlib import Path

        import alula
        from alula import task
        from alula._bundle import code_for
        from alula._app import current_app
        from alula_kernel.contracts import Attempt
        from alula_kernel.literals import Scalar
        from alula_kernel.worker_protocol import store_attempt
        from helper import triple

        @task
        def tripled(x: int) -> int:
            return triple(x)

        code = code_for(tripled, "pickle")
        assert code.search_path == (), code
        attempt = Attempt(
            id="r/a0/1", run="r", action="a0", number=1, task=tripled.spec(current_app()),
            inputs={"x": Scalar(4)}, code=code, output_prefix=sys.argv[1],
        )
        store_attempt(current_app().storage, attempt)
        """,
    )
    project.write("helper.py", "def triple(x):\n    return 3 * x\n")
    prefix = str(project.root.parent / "attempt")
    made = project.python(str(main), prefix)
    assert made.returncode == 0, made.stderr
    without_source()
    run = project.python("-m", "alula.worker", "--attempt", f"{prefix}/attempt.msgpack")
    assert run.returncode == 0, run.stderr
    outcome = load_outcome(current_app().storage, prefix)
    assert outcome is not None
    assert outcome.outputs == {"o0": Scalar(12)}


def test_what_cannot_be_pickled_is_named_with_a_way_out() -> None:
    lock = __import__("threading").Lock()

    @task
    def locked() -> int:
        with lock:
            return 1

    with pytest.raises(
        UsageError, match=r"locked cannot be sent to another process: cannot pickle '_thread.lock'"
    ) as told:
        code_for(locked)
    assert "Or put the task into a module" in told.value.hint


def test_a_cached_task_keeps_its_version_when_it_is_pickled(elsewhere: Any) -> None:
    @task(cache="auto")
    def square(x: int) -> int:
        return x * x

    @task
    def calls(x: int) -> int:
        return square(x=x)

    assert elsewhere.run(calls, x=3).result == 9
    again = elsewhere.run(calls, x=3)
    assert again.result == 9
    assert [action.cache for action in again.actions if action.name == "square"] == ["hit"]


def test_a_pickle_of_another_python_is_refused(alula_home: Any) -> None:
    @task
    def t() -> int:
        return 1

    code = code_for(t)
    storage = current_app().storage
    with storage.open(code.uri) as stream:
        data = stream.read().replace(b"Python 3.", b"Python 2.", 1)
    blob = storage.put_bytes(data)
    changed = msgspec.structs.replace(code, uri=blob.uri, digest=hashlib.sha256(data).hexdigest())
    with pytest.raises(UsageError, match=r"pickled by Python 2\.\d+, and the worker runs Python 3"):
        worker.load_code(changed)


def test_a_damaged_pickle_is_not_read(alula_home: Any) -> None:
    @task
    def t() -> int:
        return 1

    code = code_for(t)
    other = current_app().storage.put_bytes(b"cposix\nsystem\n(S'touch /tmp/owned'\ntR.")
    with pytest.raises(UsageError, match="the pickled tasks are damaged"):
        worker.load_code(msgspec.structs.replace(code, uri=other.uri))


def test_a_large_pickle_is_refused() -> None:
    table = b"x" * 10_000

    @task
    def t() -> int:
        return len(table)

    with pytest.raises(UsageError, match="at most 5,000 are sent"):
        code_for(t, limit_bytes=5_000)


def test_an_environment_travels_with_its_task(elsewhere: Any) -> None:
    env = TaskEnvironment("travels", env_vars={"TRAVELS": "yes"})

    @env.task
    async def looks() -> str:
        import os

        return os.environ["TRAVELS"]

    assert elsewhere.run(looks).result == "yes"
