"""What programs of Flyte 1 ask their tasks for, and what environment variables say."""

from __future__ import annotations

from collections.abc import Callable

Run = Callable[..., str]


def test_tasks_tell_their_settings(run: Run) -> None:
    out = run("""
        import typing
        from flytekit import Description, Documentation, Resources, TaskMetadata, map_task, task
        from flytekit.core.interface import Interface
        from flytekit.core.resources import ResourceSpec

        @task(resources=Resources(cpu=("1", "2"), mem=(1024, 2048), gpu=1), labels={"a": "b"}, cache=True, cache_version="1")
        def one(x: int, y: str = "y") -> int:
            "Take one."
            return x

        @task(requests=Resources(mem="1Gi"), docs=Documentation("short", Description(value="long")))
        def two(x: int) -> typing.Optional[str]:
            return str(x)

        print(one.resources.requests == Resources(cpu="1", mem=1024, gpu=1), one.resources.limits.to_json())
        print(two.resources == ResourceSpec(Resources(mem="1Gi"), Resources()))
        print(one.metadata.labels, one.metadata.cache, one.metadata.cache_version, one.docs.short_description)
        print(two.docs.long_description.value, one.python_interface.inputs_with_defaults)
        metadata = TaskMetadata(retries=1)
        print(map_task(one, metadata=metadata).metadata is metadata, map_task(one).metadata is one.metadata)
        print(map_task(two).python_interface.outputs == {"o0": typing.List[typing.Optional[str]]})
        print(map_task(two)(x=[1, 2]))
        asked = Resources(cpu="4", mem="2Gi", ephemeral_storage="20Gi")
        print(Resources.from_json(asked.to_json()) == asked, asked.to_dict()["mem"])
        for wrong in (lambda: Interface({"my.input": int}), lambda: Interface({}, {"my output": int})):
            try:
                wrong()
            except ValueError as problem:
                print(str(problem).splitlines()[0])
    """)
    assert out.splitlines() == [
        'True {"cpu": "2", "mem": 2048, "gpu": null, "ephemeral_storage": null, "memory": null, "disk": null, "shm": null}',
        "True",
        "{'a': 'b'} True 1 Take one.",
        "long {'x': (<class 'int'>, None), 'y': (<class 'str'>, 'y')}",
        "True True",
        "True",
        "['1', '2']",
        "True 2Gi",
        "an input or output is called 'my.input'",
        "an input or output is called 'my output'",
    ]


def test_sensors_tell_their_timeout(run: Run) -> None:
    out = run("""
        import datetime
        from flytekit import TaskMetadata
        from flytekit.sensor.base_sensor import BaseSensor
        from flytekit.sensor.file_sensor import FileSensor

        minute = datetime.timedelta(minutes=1)
        print(BaseSensor(name="a").metadata.timeout, FileSensor(name="b", timeout=60).metadata.timeout == minute)
        print(FileSensor("c", metadata=TaskMetadata(timeout=minute)).metadata.timeout == minute)
        print(FileSensor("d", timeout=60, metadata=TaskMetadata(retries=2)).metadata.retries)
        try:
            FileSensor("e", timeout=60, metadata=TaskMetadata(timeout=minute))
        except ValueError as problem:
            print(str(problem).splitlines()[0])
        try:
            BaseSensor(name="f")()
        except NotImplementedError as problem:
            print(problem)
    """)
    assert out.splitlines() == [
        "None True",
        "True",
        "2",
        "a sensor was given a timeout twice",
        "BaseSensor does not define poke",
    ]


def test_variables_say_what_becomes_of_the_local_cache(run: Run) -> None:
    out = run("""
        import os
        from flytekit import task, workflow

        computed = []

        @task(cache=True, cache_version="1")
        def same(n: int) -> int:
            computed.append(n)
            return n + len(computed)

        @workflow
        def flow(n: int) -> int:
            return same(n=n)

        print(flow(n=0), flow(n=0))
        os.environ["FLYTE_LOCAL_CACHE_OVERWRITE"] = "true"
        print(flow(n=0), same(n=0))
        os.environ["FLYTE_LOCAL_CACHE_OVERWRITE"] = "false"
        print(flow(n=0), same(n=0))
        os.environ["FLYTE_LOCAL_CACHE_ENABLED"] = "False"
        print(flow(n=0), same(n=0))
        del os.environ["FLYTE_LOCAL_CACHE_ENABLED"]
        print(flow(n=0))
    """)
    assert out.splitlines() == ["1 1", "2 3", "3 3", "4 5", "3"]


def test_variables_give_access_to_object_stores(run: Run) -> None:
    program = """
        import fsspec
        from fsspec.implementations.memory import MemoryFileSystem
        from flytekit import FlyteFile, task
        from flytekit.core.data_persistence import FileAccessProvider

        class Store(MemoryFileSystem):
            cachable = False

            def __init__(self, *args, **options):
                super().__init__()
                print(dict(sorted(options.items())))

        for name in ("abfs", "s3", "gs"):
            Of = type(name, (Store,), {"protocol": name})
            fsspec.register_implementation(name, Of, clobber=True)

        files = FileAccessProvider("/tmp", "abfs://container/path")
        files.get_filesystem()
        files.get_filesystem("abfs", anonymous=True, account_name="mine")
        files.get_filesystem_for_path("s3://bucket/key")
        files.get_filesystem("s3", anonymous=True)
        files.get_filesystem("gs", anonymous=True)
        fsspec.filesystem("s3", key="mine")
    """
    azure = {"FLYTE_AZURE_STORAGE_ACCOUNT_NAME": "name", "FLYTE_AZURE_STORAGE_ACCOUNT_KEY": "secret"}
    azure |= {"FLYTE_AZURE_TENANT_ID": "tenant", "FLYTE_AZURE_CLIENT_ID": "id", "FLYTE_AZURE_CLIENT_SECRET": "pin"}
    aws = {"FLYTE_AWS_ACCESS_KEY_ID": "key", "FLYTE_AWS_SECRET_ACCESS_KEY": "pin", "FLYTE_AWS_ENDPOINT": "http://here"}
    rest = "'client_id': 'id', 'client_secret': 'pin', 'tenant_id': 'tenant'}"
    assert run(program, **azure, **aws).splitlines() == [
        f"{{'account_key': 'secret', 'account_name': 'name', 'anon': False, {rest}",
        f"{{'account_key': 'secret', 'account_name': 'mine', 'anon': True, {rest}",
        "{'endpoint_url': 'http://here', 'key': 'key', 'secret': 'pin'}",
        "{'anon': True, 'endpoint_url': 'http://here', 'key': 'key', 'secret': 'pin'}",
        "{'token': 'anon'}",
        "{'endpoint_url': 'http://here', 'key': 'mine', 'secret': 'pin'}",
    ]
    assert run(program).splitlines() == [
        "{}",
        "{'account_name': 'mine', 'anon': True}",
        "{}",
        "{'anon': True}",
        "{'token': 'anon'}",
        "{'key': 'mine'}",
    ]


def test_formats_of_files_can_be_asked_for(run: Run) -> None:
    out = run("""
        from typing import Annotated
        from flytekit.types.file import FileExt, FlyteFile, JPEGImageFile

        archive = Annotated[str, FileExt("tar.gz")]
        print(JPEGImageFile.extension(), FlyteFile[archive].extension(), repr(FlyteFile.extension()))
        print(FileExt.check_and_convert_to_str(archive), FileExt.check_and_convert_to_str("csv"))
        try:
            FlyteFile[int]
        except ValueError as problem:
            print(str(problem).splitlines()[0])
    """)
    assert out.splitlines() == ["jpeg tar.gz ''", "tar.gz csv", "<class 'int'> is no format of a file"]


def test_workflows_are_mocked(run: Run) -> None:
    out = run("""
        from flytekit import Workflow, task, workflow
        from flytekit.testing import patch, task_mock

        @task
        def greet(name: str) -> str:
            return f"hello {name}"

        by_hand = Workflow(name="by.hand")
        by_hand.add_workflow_input("name", str)
        by_hand.add_workflow_output("text", by_hand.add_entity(greet, name=by_hand.inputs["name"]).outputs["o0"])

        @workflow
        def flow(name: str) -> str:
            return by_hand(name=name)

        @patch(by_hand)
        def check(mock):
            mock.return_value = "hi"
            print(flow(name="you"))
            mock.assert_called_once_with(name="you")

        check()
        with task_mock(flow) as mock:
            mock.return_value = "nothing"
            print(flow(name="you"))
        print(flow(name="you"))
    """)
    assert out.splitlines() == ["hi", "nothing", "hello you"]


def test_settings_that_cannot_be_are_refused(run: Run) -> None:
    out = run("""
        from typing import List, Optional
        from flytekit import Cache, LaunchPlan, dynamic, map_task, task, workflow
        from flytekit.core.array_node import array_node

        @task
        def half(x: int) -> int:
            if x % 2:
                raise ValueError(x)
            return x // 2

        @dynamic(node_dependency_hints=[half])
        def hinted(x: int) -> int:
            return half(x=x)

        @workflow
        def one(x: int) -> int:
            return half(x=x)

        def refused(make):
            try:
                make()
            except ValueError as problem:
                print(str(problem).splitlines()[0])

        refused(lambda: task(node_dependency_hints=[half])(half.task_function))
        refused(lambda: task(cache=True)(half.task_function))
        refused(lambda: map_task(hinted))
        refused(lambda: map_task(one))
        print(task(cache=Cache(version="1"))(half.task_function)(x=2), hinted(x=4))

        @workflow
        def plans() -> List[Optional[int]]:
            plan = LaunchPlan.get_or_create(one)
            return array_node(plan, min_successes=2, min_success_ratio=None)(x=[1, 2, 4])

        print(plans())
    """)
    assert out.splitlines() == [
        "node_dependency_hints should only be used on dynamic tasks",
        "cache=True was given without cache_version",
        "map_task takes tasks that call no others, found task program.hinted",
        "map_task takes tasks that call no others, found workflow program.one",
        "1 2",
        "[None, 1, 2]",
    ]


def test_a_cache_version_may_wait_for_the_day_that_caching_is_switched_on(run: Run) -> None:
    out = run("""
        from flytekit import task

        @task(cache_version="1")
        def counted(x: int) -> int:
            print("runs")
            return x

        print(counted(x=1) + counted(x=1))
        """)
    assert out == "runs\nruns\n2\n"
