"""Programs written for Flyte 1, run unmodified."""

from __future__ import annotations

from collections.abc import Callable

Run = Callable[[str], str]


def test_tasks_workflows_and_several_outputs(run: Run) -> None:
    out = run("""
        import typing
        from flytekit import Environment, ImageSpec, PodTemplate, Resources, dynamic, map_task, task, workflow
        from flytekit import TaskMetadata
        from flytekit.extras.accelerators import A100, T4

        image = ImageSpec(packages=["pandas"], registry="example.org")

        @task(
            container_image=image, resources=Resources(cpu=("1", "2"), mem="1Gi"), accelerator=A100.partition_2g_10gb,
            pod_template=PodTemplate(primary_container_name="main"),
        )
        def halves(x: int) -> typing.Tuple[int, float]:
            return x // 2, x / 2

        small = Environment(requests=Resources(cpu="1"), retries=1)

        @small.task
        def square(x: int) -> int:
            return x * x

        @dynamic(accelerator=T4)
        def sum_of_squares(n: int) -> typing.List[int]:
            return [square(x=i) for i in range(n)]

        @workflow
        def both(x: int = 5) -> typing.Tuple[int, float]:
            whole, exact = halves(x=x)
            print(f"a promise: {whole}")
            return whole, exact

        class Anything:
            pass

        @task(task_config=Anything())
        def plain() -> str:
            return "as it is"

        print(both(), both(x=3).o1, sum_of_squares(n=3), plain())
        print(map_task(square, metadata=TaskMetadata(retries=2), min_success_ratio=1.0)(x=[1, 2, 3]))
        """)
    first, *rest = out.splitlines()
    assert first.startswith("a promise: Promise(output 'o0' of task")
    assert rest[-2:] == ["DefaultNamedTupleOutput(o0=2, o1=2.5) 1.5 [0, 1, 4] as it is", "[1, 4, 9]"]


def test_only_recoverable_exceptions_are_retried(run: Run) -> None:
    out = run("""
        from flytekit import current_context, task
        from flytekit.exceptions.user import FlyteRecoverableException

        tries = []

        @task(retries=3)
        def flaky(kind: str) -> int:
            tries.append(kind)
            checkpoint = current_context().checkpoint
            done = int((checkpoint.read() or b"0").decode())
            checkpoint.write(str(done + 1).encode())
            if kind == "recoverable" and done < 2:
                raise FlyteRecoverableException("again")
            if kind == "other":
                raise ValueError("never again")
            return done

        print(flaky(kind="recoverable"))
        try:
            flaky(kind="other")
        except ValueError as problem:
            print(problem, len(tries))
        """)
    assert out == "2\nnever again 4\n"


def test_failure_handlers(run: Run) -> None:
    out = run("""
        from typing import Optional
        from flytekit import task, workflow
        from flytekit.types.error.error import FlyteError

        @task
        def build(name: str) -> int:
            raise RuntimeError(f"{name} is broken")

        @task
        def clean_up(name: str, err: Optional[FlyteError] = None):
            print(name, type(err).__name__, err.message)

        @workflow(on_failure=clean_up)
        def wf(name: str) -> int:
            return build(name=name)

        try:
            wf(name="it")
        except RuntimeError:
            print("failed")
        """)
    assert out == "it FlyteError it is broken\nfailed\n"


def test_eager_functions_await_what_they_call(run: Run) -> None:
    out = run("""
        import asyncio
        from flytekit import eager, task, workflow
        from flytekit.exceptions.eager import EagerException

        @task
        def add_one(x: int) -> int:
            if x < 0:
                raise ValueError("negative")
            return x + 1

        @workflow
        def twice(x: int) -> int:
            return add_one(x=add_one(x=x))

        @eager
        async def inner(x: int) -> int:
            return await add_one(x=x)

        @eager
        async def outer(x: int) -> int:
            found = await asyncio.gather(*[add_one(x=i) for i in range(x)])
            if await twice(x=x) > 3:
                found.append(await inner(x=10))
            try:
                await add_one(x=-1)
            except EagerException as problem:
                found.append(len(str(problem)))
            return sum(found)

        @eager
        async def at_once(x: int) -> int:
            found = add_one(x=x)
            (other,) = await asyncio.gather(asyncio.create_task(inner(x=found)))
            return twice(x=other)

        @workflow
        def wf(x: int) -> int:
            return outer(x=x)

        print(asyncio.run(outer(x=2)), wf(x=1), asyncio.run(at_once(x=1)))
        """)
    assert out == f"{1 + 2 + 11 + 8} {1 + 8} 5\n"


def test_unknown_classes_are_pickled(run: Run) -> None:
    out = run("""
        import typing
        from flytekit import task, workflow

        class Model:
            weights = (1, 2)

        @task
        def train() -> Model:
            return Model()

        @task
        def anything(model: typing.Any, items: list) -> typing.Iterator[str]:
            for item in items:
                yield f"{item} {type(model).__name__}"

        @workflow
        def wf() -> typing.Iterator[str]:
            return anything(model=train(), items=["a", {"b"}])

        print(list(wf()))
        """)
    assert out == "['a Model', \"{'b'} Model\"]\n"


def test_files_and_contexts(run: Run) -> None:
    out = run("""
        import os
        from flytekit import FlyteContextManager, FlyteDirectory, FlyteFile, current_context, task, workflow
        from flytekit.types.file import CSVFile

        @task
        def write() -> FlyteFile["txt"]:
            path = os.path.join(current_context().working_directory, "one.txt")
            with open(path, "w") as stream:
                stream.write("one")
            return FlyteFile(path)

        @task
        def folder(file: FlyteFile["txt"]) -> FlyteDirectory:
            access = FlyteContextManager.current_context().file_access
            made = access.get_random_local_directory()
            with open(file) as source, open(os.path.join(made, "two.txt"), "w") as target:
                target.write(source.read() + " two")
            remote = access.get_random_remote_directory()
            access.upload_directory(made, remote)
            back = access.download_directory(remote, access.get_random_local_path())
            print(access.exists(remote), access.is_remote("s3://bucket/x"), sorted(os.listdir(back)))
            return FlyteDirectory(back)

        @workflow
        def wf() -> FlyteDirectory:
            return folder(file=write())

        print(open(os.path.join(wf(), "two.txt")).read())
        """)
    assert out == "True True ['two.txt']\none two\n"


def test_mocks(run: Run) -> None:
    out = run("""
        from flytekit import SQLTask, TaskMetadata, kwtypes, task, workflow
        from flytekit.testing import patch, task_mock

        query = SQLTask(
            "rows", query_template="select * from t where day = '{{ .Inputs.day }}'", inputs=kwtypes(day=str),
            outputs=kwtypes(results=int), metadata=TaskMetadata(retries=1),
        )

        @task
        def plus(x: int) -> int:
            return x + 1

        @workflow
        def wf(day: str) -> int:
            return plus(x=query(day=day))

        with task_mock(query) as mock:
            mock.return_value = 4
            print(wf(day="monday"), mock.call_args.kwargs)

        @patch(plus)
        def test_it(mock_plus):
            mock_plus.side_effect = lambda x: -x
            with task_mock(query) as mock:
                mock.return_value = 4
                print(wf(day="monday"))

        test_it()
        """)
    assert out == "5 {'day': 'monday'}\n-4\n"


def test_launch_plans_with_what_is_for_clusters(run: Run) -> None:
    out = run("""
        from datetime import timedelta
        from flytekit import Email, FixedRate, LaunchPlan, Slack, WorkflowExecutionPhase, task, workflow
        from flytekit.models.common import AuthRole, Labels

        @task
        def greet(name: str) -> str:
            return f"hello {name}"

        @workflow
        def wf(name: str = "you") -> str:
            return greet(name=name)

        plan = LaunchPlan.get_or_create(
            wf, "daily", fixed_inputs={"name": "all"}, schedule=FixedRate(duration=timedelta(minutes=10)),
            notifications=[
                Email(phases=[WorkflowExecutionPhase.SUCCEEDED], recipients_email=["a@example.org"]),
                Slack(phases=[WorkflowExecutionPhase.FAILED], recipients_email=["b@example.org"]),
            ],
            labels=Labels({"team": "a"}), auth_role=AuthRole(kubernetes_service_account="me"),
        )
        print(plan(), WorkflowExecutionPhase.enum_to_string(WorkflowExecutionPhase.ABORTED))
        """)
    assert out == "hello all ABORTED\n"
