"""Programs written for Flyte 2, run unmodified."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def test_script_as_people_write_it(run: Callable[[str], str]) -> None:
    out = run(
        """
        import asyncio
        import logging
        import flyte

        env = flyte.TaskEnvironment(
            name="squares",
            image=flyte.Image.from_debian_base().with_pip_packages("pandas"),
            resources=flyte.Resources(cpu=1, memory="250Mi", gpu=flyte.GPU("T4", 1)),
            cache=flyte.Cache("disable"),
            reusable=flyte.ReusePolicy(replicas=2, idle_ttl=60),
        )

        @env.task(retries=flyte.RetryStrategy(2), timeout=flyte.Timeout(max_runtime=60), triggers=flyte.Trigger.hourly())
        async def square(x: int) -> int:
            return x * x

        @env.task
        async def total(n: int = 3) -> tuple[int, str]:
            with flyte.group("squares"):
                found = await asyncio.gather(*[square(x=i) for i in range(n)])
            return sum(found), flyte.ctx().action.run_name

        if __name__ == "__main__":
            flyte.init_from_config(log_level=logging.WARNING, project="mine", domain="development")
            run = flyte.run(total, n=4)
            run.wait()
            outputs = run.outputs()
            flyte.logger.info("hidden" if flyte.logger.level > 20 else "shown")
            flyte.logger.debug("hidden")
            print(outputs.o0, outputs[1] == run.name, len(outputs), run.phase, bool(run.url), run.done())
            print(flyte.current_project(), flyte.current_domain())
        """
    )
    logged, *printed = out.splitlines()
    assert logged.endswith(" - shown")
    assert printed == ["14 True 2 ActionPhase.SUCCEEDED True True", "mine development"]


def test_runs_can_be_awaited(run: Callable[[str], str]) -> None:
    out = run(
        """
        import asyncio
        import flyte

        env = flyte.TaskEnvironment("awaited")

        @env.task
        async def hello(name: str) -> str:
            return f"hello {name}"

        async def main():
            await flyte.init.aio()
            run = await flyte.run.aio(hello, name="you")
            await run.wait.aio()
            await run.action.wait(quiet=True)
            assert (run.action.run_name, run.action.phase, run.action.done()) == (run.name, run.phase, True)
            print(await run.outputs.aio())
            print(flyte.run(hello, "in a loop").outputs()[0])
            other = await flyte.with_runcontext(mode="local", env_vars={"A": "b"}, labels={"l": "m"}).run.aio(hello, "me")
            print(other.outputs()[0])

        asyncio.run(main())
        """
    )
    assert out.splitlines() == ['ActionOutputs(o0="hello you")', "hello in a loop", "hello me"]


def test_failure_is_raised_except_in_mode_remote(run: Callable[[str], str]) -> None:
    out = run(
        """
        import flyte
        import flyte.errors
        from flyte.models import ActionPhase

        env = flyte.TaskEnvironment(name="failing")

        @env.task
        def fail(x: int) -> int:
            raise ValueError(f"not {x}")

        @env.task
        def caught(x: int) -> str:
            try:
                return str(fail(x))
            except flyte.errors.RuntimeUserError as e:
                return e.code

        print(flyte.run(caught, 1).outputs()[0])
        try:
            flyte.run(fail, x=2)
        except ValueError as e:
            print(e)
        run = flyte.with_runcontext("remote", name="a-remote-run", copy_style="all", service_account="x").run(fail, x=3)
        run.wait(quiet=True)
        print(run.name, run.phase == ActionPhase.FAILED, run.phase.is_terminal)
        """
    )
    assert out.splitlines() == ["ValueError", "not 2", "a-remote-run True True"]


def test_maps_are_cut_to_the_shortest_and_give_exceptions(run: Callable[[str], str]) -> None:
    out = run(
        """
        from functools import partial
        import flyte

        env = flyte.TaskEnvironment(name="maps")

        @env.task
        def add(x: int, y: int) -> int:
            if x == 2:
                raise ValueError("two")
            return x + y

        @env.task
        async def both() -> list[str]:
            found = [str(r) for r in flyte.map(add, [1, 2, 3], [10, 10])]
            async for r in flyte.map.aio(partial(add, y=1), range(2), concurrency=1, group_name="mine"):
                found.append(str(r))
            return found

        print(flyte.run(both).outputs()[0])
        print(list(flyte.map(add)), list(flyte.map(add, [], [1])))
        results = list(flyte.map(partial(add, y=0), [1, 2]))
        try:
            print(sum(results))
        except ValueError as e:
            print("raised", e)
        for wrong in (partial(add, x=1), partial(add, 1, 2), partial(add)):
            try:
                flyte.map(wrong, [1])
            except TypeError as e:
                print("wrong", e)
        try:
            list(flyte.map(partial(add, y=0), [1, 2], return_exceptions=False))
        except ValueError as e:
            print("raised", e)
        """
    )
    assert out.splitlines() == [
        "['11', 'two', '1', '2']",
        "[] []",
        "raised two",
        "wrong the partial of task maps.add gives 'x' by name, and its values come by position",
        "wrong a partial that is mapped must leave one input open; that of task maps.add leaves 0",
        "wrong a partial that is mapped must leave one input open; that of task maps.add leaves 2",
        "raised two",
    ]


def test_untyped_and_unknown_values_are_pickled(run: Callable[[str], str]) -> None:
    out = run(
        """
        from typing import NamedTuple
        import flyte

        env = flyte.TaskEnvironment(name="pickles")

        class Point:
            def __init__(self, x):
                self.x = x

        @env.task
        def make(x: int) -> Point:
            return Point(x)

        class Both(NamedTuple):
            first: int
            second: str

        @env.task
        def both(x: int) -> Both:
            return Both(x, "b")

        @env.task
        def read(point, factor: int = 2) -> int:
            return point.x * factor

        @env.task
        def main(x: int) -> int:
            return read(make(x))

        print(flyte.run(main, 4).outputs()[0])
        outputs = flyte.run(both, 1).outputs()
        print(outputs.named_outputs, outputs.first, outputs.o1, outputs)
        """
    )
    assert out == "8\n{'o0': 1, 'o1': 'b'} 1 b ActionOutputs(o0=1, o1=\"b\")\n"


def test_context_reports_files_and_checkpoints(run: Callable[[str], str]) -> None:
    out = run(
        """
        import os
        import flyte
        import flyte.durable
        import flyte.report
        from flyte.io import DataFrame, Dir, File, HashFunction

        env = flyte.TaskEnvironment(name="tools")

        @env.task(report=True)
        async def report(x: int) -> File:
            await flyte.report.log.aio(f"<b>{x}</b>")
            flyte.report.Timeline("steps").row(label="first", error="oh")
            flyte.report.get_tab("more").log("<i>more</i>")
            await flyte.report.flush.aio()
            await flyte.durable.sleep.aio(0.01)
            with open("told.txt", "w") as stream:
                stream.write(f"{flyte.durable.now().year > 2000} {await flyte.durable.time.aio() > 1}")
            return await File.from_local("told.txt", hash_method=HashFunction.from_fn(lambda value: "same"))

        @env.task
        async def read(file: File) -> str:
            async with file.open("rb") as stream:
                return bytes(await stream.read()).decode()

        @env.task
        async def main() -> str:
            context = flyte.ctx()
            with flyte.custom_context(team="a"), flyte.group("g"):
                assert flyte.ctx().group_data.name == "g"
                file = await report(3)
            assert context.action.name and context.raw_data_path.path and context.checkpoint_paths.checkpoint_path
            assert context.rank is None and context.nnodes is None and context.mode == "local"
            assert not context.is_in_cluster() and context.attempt_number == 0 and context["none"] is None
            return await read(file)

        flyte.init()
        print(flyte.ctx(), flyte.run(main).outputs()[0])
        run = flyte.run(report, 1)
        print("more" in run.get_report(), run.get_debug_url())
        """
    )
    assert out.splitlines() == ["None True True", "True None"]


def test_functions_in_both_forms(run: Callable[[str], str]) -> None:
    out = run(
        """
        import asyncio
        import contextvars
        from flyte.syncify import syncify

        seen = contextvars.ContextVar("seen", default="nothing")

        @syncify
        async def double(x: int) -> int:
            await asyncio.sleep(0)
            if x < 0:
                raise ValueError(seen.get())
            return 2 * x

        @syncify
        async def count(n: int):
            for i in range(n):
                yield i

        class Things:
            @syncify
            @classmethod
            async def make(cls, x: int) -> str:
                return f"{cls.__name__} {x}"

            @syncify
            async def named(self, x: int) -> int:
                return await double.aio(x)

        seen.set("something")
        print(double(2), list(count(3)), Things.make(1), Things().named(4), asyncio.run(double.aio(5)))
        try:
            double(-1)
        except ValueError as e:
            print(e)
        """
    )
    assert out.splitlines() == ["4 [0, 1, 2] Things 1 8 10", "something"]


def test_environments_and_plugins_that_mean_nothing_here(run: Callable[[str], str]) -> None:
    out = run(
        """
        from datetime import timedelta
        import flyte
        from flyte.clustered import ClusteredTaskEnvironment, TorchRun
        from flyte.extras import Sleep
        from flyteplugins.dask import Dask, WorkerGroup
        from flyteplugins.echo import Echo
        import flyteplugins.polars

        sleeping = flyte.TaskEnvironment("sleeping", plugin_config=Sleep())
        echoing = flyte.TaskEnvironment("echoing", plugin_config=Echo())
        dask = flyte.TaskEnvironment("dask", plugin_config=Dask(workers=WorkerGroup(number_of_workers=2)))
        many = ClusteredTaskEnvironment(name="many", replicas=2, nproc_per_node=4, runtime=TorchRun(max_restarts=1))
        plain = flyte.TaskEnvironment("plain", depends_on=[dask], pod_template=flyte.PodTemplate(labels={"a": "b"}))
        plain.add_dependency(sleeping, dask)
        again = plain.clone_with("again", secrets=None)

        @sleeping.task
        async def sleep(duration: timedelta) -> None:
            raise AssertionError("is not called")

        @echoing.task
        async def same(x: int) -> int:
            raise AssertionError("is not called")

        @dask.task
        def one() -> int:
            return 1

        @many.task
        def two() -> int:
            return 2

        @again.task
        async def main() -> int:
            await sleep(timedelta(milliseconds=5))
            return one() + two() + await same(3)

        print(flyte.run(main).outputs()[0], [e.name for e in again.depends_on])
        """
    )
    assert out == "6 ['dask', 'sleeping']\n"


def test_tasks_beside_an_app_run(run: Callable[[str], str]) -> None:
    out = run(
        """
        import flyte
        import flyte.app
        from flyte.app.extras import FastAPIAppEnvironment

        app = FastAPIAppEnvironment(
            name="app",
            app=object(),
            scaling=flyte.app.Scaling(replicas=(0, 1), metric=flyte.app.Scaling.Concurrency(val=10)),
            parameters=[flyte.app.Parameter("model", value=flyte.app.RunOutput(type="file", task_name="t"))],
        )
        env = flyte.TaskEnvironment("beside", depends_on=[app])
        other = app.clone_with("other", port=flyte.app.Port(8080))
        other.add_dependency(env)

        @app.server
        def serve():
            pass

        @env.task
        def one() -> int:
            return 1

        print(flyte.run(one).outputs()[0], app.name, other.name, other.port.port, other.depends_on[0].name)
        """
    )
    assert out == "1 app other 8080 beside\n"


def test_secrets_that_are_not_there_are_not_needed(run: Callable[[str], str]) -> None:
    out = run(
        """
        import os
        import flyte

        env = flyte.TaskEnvironment(
            "secret", secrets=["first-key", flyte.Secret(key="second", group="g", as_env_var="SECOND")]
        )
        os.environ["SECOND"] = "told"

        @env.task
        def one() -> bool:
            return os.getenv("FIRST_KEY") is None and os.environ["SECOND"] == "told"

        print(flyte.run(one).outputs()[0])
        """
    )
    assert out == "True\n"


def test_token_batcher_counts_tokens(run: Callable[[str], str]) -> None:
    out = run(
        """
        import asyncio
        from flyte.extras import Prompt, TokenBatcher

        async def shout(batch):
            return [p.text.upper() for p in batch]

        async def main():
            async with TokenBatcher(inference_fn=shout, target_batch_tokens=10, prefetch_batches=3) as batcher:
                futures = [await batcher.submit(Prompt(text=t), estimated_tokens=None) for t in ("a", "b")]
                print(await asyncio.gather(*futures), batcher.stats.total_batch_cost)

        asyncio.run(main())
        """
    )
    assert out == "['A', 'B'] 2\n"


def test_program_of_both_generations_is_one_tree(run: Callable[[str], str]) -> None:
    out = run(
        """
        from flytekit import task, workflow
        import flyte
        import alula

        env = flyte.TaskEnvironment(name="second")

        @task
        def first(x: int) -> int:
            return x + 1

        @env.task
        async def second(x: int) -> int:
            return first(x=x) * 10

        @workflow
        def both(x: int) -> int:
            return second(x=first(x=x))

        print(both(x=1))
        run = alula.run(both, x=1)
        print([action.entity.rpartition(".")[2] for action in run.actions])
        print(flyte.run(second, x=1).outputs()[0])
        """
    )
    assert out.splitlines() == ["30", "['both', 'first', 'second', 'first']", "20"]


def test_spawned_processes_of_a_program_know_its_names(run: Callable[[str], str]) -> None:
    out = run(
        """
        import multiprocessing
        import flyte
        from flyteplugins.dask import Dask

        env = flyte.TaskEnvironment("spawning", plugin_config=Dask())

        def double(x):
            return 2 * x

        @env.task
        def main(n: int) -> list[int]:
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                return pool.map(double, range(n))

        if __name__ == "__main__":
            print(flyte.run(main, 3).outputs()[0])
        """
    )
    assert out == "[0, 2, 4]\n"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("import flyte\nflyte.deploy()", "Alula has no flyte.deploy: "),
        ("import flyte.app\nflyte.app.ConnectorEnvironment('a')", "Alula has no flyte.app.ConnectorEnvironment: "),
        ("from flyte import nothing_of_the_kind", "alula-flyte does not know flyte.nothing_of_the_kind; "),
        ("import flyte.connectors", "Alula has no flyte.connectors: "),
        ("import flyteplugins.wandb", "Alula has no flyteplugins.wandb: "),
        ("from flyte.remote import Run\nRun.get('x')", "unknown run of this process 'x'"),
        ("import flyte\nflyte.with_runcontext(mode='far')", "unknown mode of a run 'far'"),
        ("import flyte\nflyte.with_runcontext(nam='far')", "unknown option of a run 'nam'"),
    ],
)
def test_what_is_missing_says_so(
    source: str, message: str, write: Callable[[str, str], Path], python: Callable[..., Any]
) -> None:
    answer = python("-m", "alula_flyte", str(write("program.py", source)))
    assert answer.code == 1
    assert message in answer.err


def test_attempts_have_variables_of_their_own(run: Callable[[str], str]) -> None:
    out = run(
        """
        import asyncio
        import os
        import subprocess
        import sys
        import flyte

        env = flyte.TaskEnvironment("varied")

        @env.task(retries=3)
        async def fail(x: int) -> list[int]:
            number = int(os.environ["FLYTE_ATTEMPT_NUMBER"])
            await asyncio.sleep(0.01)
            if number < x:
                raise ValueError("again")
            same = os.getenv("FLYTE_INTERNAL_EXECUTION_ID") == flyte.ctx().action.run_name
            return [number, int(os.environ["FLYTE_ATTEMPT_NUMBER"]), int(same)]

        @env.task
        async def main() -> list[list[int]]:
            return await asyncio.gather(*[fail(x) for x in range(3)])

        os.environ["MINE"] = "1"
        print(flyte.run(main).outputs()[0], "FLYTE_ATTEMPT_NUMBER" in os.environ)
        code = "import os; print(os.environ['MINE'], os.environ.get('FLYTE_ATTEMPT_NUMBER'))"
        print(subprocess.check_output([sys.executable, "-c", code], text=True).strip())
        """
    )
    assert out == "[[0, 0, 1], [1, 1, 1], [2, 2, 1]] False\n1 None\n"
