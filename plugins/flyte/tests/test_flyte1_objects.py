"""Objects of Flyte 1 that programs make and ask: secrets, schedules, images, checkpoints, places of files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

Run = Callable[..., str]


SECRETS = """
    from flytekit import Secret, current_context, task

    @task(secret_requests=[Secret("db", "token"), Secret("mail", "key", "v2"), Secret(group="disk", key="pin")])
    def lengths() -> str:
        secrets = current_context().secrets
        found = [secrets.get("db", "token"), secrets.get("mail", "key", "v2"), secrets.disk.pin]
        return ",".join(str(len(value)) for value in found)

    print(lengths())
    secrets = current_context().secrets
    for group, key in (("db", "token"), ("db", "absent")):
        try:
            print(len(secrets.get(group, key)))
        except ValueError as problem:
            print("_FSEC_DB_ABSENT" in str(problem))
"""


def test_secrets_are_found_where_flyte_keeps_them(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "mounted"
    (folder / "disk").mkdir(parents=True)
    (folder / "disk" / "pin").write_text("12345678\n")
    out = run(SECRETS, _FSEC_DB_TOKEN="abcd", MAIL_V2_KEY="abcdef ", FLYTE_SECRETS_DEFAULT_DIR=str(folder))
    assert out.splitlines() == ["4,6,8", "4", "True"]


def test_the_prefixes_of_secrets_can_be_others(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "mounted"
    (folder / "disk").mkdir(parents=True)
    (folder / "disk" / "s-pin").write_text("123")
    out = run(
        SECRETS,
        X_DB_TOKEN="a",
        X_MAIL_V2_KEY="ab",
        FLYTE_SECRETS_ENV_PREFIX="X_",
        FLYTE_SECRETS_DEFAULT_DIR=str(folder),
        FLYTE_SECRETS_FILE_PREFIX="s-",
    )
    assert out.splitlines()[0] == "1,2,3"


def test_a_task_may_return_a_secret_and_a_warning_says_so(
    write: Callable[[str, str], Path], python: Callable[..., Any]
) -> None:
    program = """
        from flytekit import Secret, current_context, task, workflow

        @task(secret_requests=[Secret("db", "token")])
        def token() -> str:
            return current_context().secrets.get("db", "token")

        @task
        def length(text: str) -> int:
            return len(text)

        @workflow
        def flow() -> int:
            return length(text=token())

        print(flow())
    """
    answer = python("-m", "alula_flyte", str(write("program.py", program)), _FSEC_DB_TOKEN="a long token")
    assert (answer.code, answer.out) == (0, "12\n")
    assert "the output 'o0' holds the value of a secret, and is stored with it" in answer.err
    assert "a long token" not in answer.err


def test_schedules(run: Run) -> None:
    out = run("""
        from flytekit import CronSchedule, LaunchPlan, workflow

        @workflow
        def nothing() -> None:
            pass

        for word in ("0 6 * * 1-5", "@daily", "WEEKS"):
            schedule = CronSchedule(schedule=word, offset="PT5M")
            LaunchPlan.get_or_create(nothing, f"plan {word}", schedule=schedule)
            print(schedule.cron_schedule.schedule, schedule.cron_schedule.offset)
        for wrong in ({"schedule": "often"}, {"schedule": "days", "offset": "soon"}, {"cron_expression": "0 6 ? * *"}):
            try:
                CronSchedule(**wrong)
            except ValueError as problem:
                print(str(problem).splitlines()[0])
    """)
    assert out.splitlines() == [
        "0 6 * * 1-5 PT5M",
        "@daily PT5M",
        "WEEKS PT5M",
        "schedule 'often' cannot be read: 1 fields",
        "offset 'soon' is not an ISO 8601 duration",
        "CronSchedule needs schedule=, five fields with the minute first",
    ]


def test_images_and_pod_templates(run: Run) -> None:
    out = run("""
        import sys
        from flytekit import ImageSpec, PodTemplate, task

        here = ImageSpec.from_env(pinned_packages=["msgspec"], packages=["own"], name="here").force_push()
        changed = here.with_builder_options({"a": 1}).with_builder_options({"b": 2})
        print(type(changed) is ImageSpec, changed.builder_options, here.builder_options)
        print(here.packages[0].startswith("msgspec=="), here.packages[1], here.python_version == sys.version[:4])
        print(here.image_name() == f"here:{here.tag}", here.id == ImageSpec.from_env(
            pinned_packages=["msgspec"], packages=["own"], name="here", builder="another"
        ).id, here.id == here.with_packages("more").id)
        for wrong in ({"python_version": "3.9"}, {"pinned_packages": ["no-such-distribution"]}):
            try:
                ImageSpec.from_env(**wrong)
            except Exception as problem:
                print(type(problem).__name__, str(problem).splitlines()[0])

        @task(container_image=here)
        def image_of() -> str:
            return "ran"

        print(image_of())

        one = PodTemplate(labels={"a": "1", "b": "2"}, pod_spec={"containers": []})
        print(one.version_hash() == PodTemplate(labels={"b": "2", "a": "1"}, pod_spec={"containers": []}).version_hash())
        print(one.version_hash() == PodTemplate(labels={"a": "1"}, pod_spec={"containers": []}).version_hash())
    """)
    assert out.splitlines() == [
        "True {'a': 1, 'b': 2} None",
        "True own True",
        "True True False",
        "ArgumentError python_version can not be used with `from_env`",
        "UnknownNameError unknown distribution 'no-such-distribution'",
        "ran",
        "True",
        "False",
    ]


def test_a_task_of_the_pod_plugin_runs_here(run: Run) -> None:
    out = run("""
        from flytekit import map_task, task, workflow
        from flytekit.exceptions.user import FlyteValidationException
        from flytekitplugins.pod import Pod

        @task(task_config=Pod(pod_spec={"containers": []}, primary_container_name="main", labels={"a": "b"}))
        def double(x: int) -> int:
            return 2 * x

        @workflow
        def doubled() -> list[int]:
            return map_task(double)(x=[1, 2])

        print(doubled())
        try:
            Pod(pod_spec=None)
        except FlyteValidationException as problem:
            print(problem)
    """)
    assert out.splitlines()[0] == "[2, 4]"
    assert "a Pod needs its pod_spec" in out


def test_checkpoints_made_by_the_program(run: Run) -> None:
    out = run("""
        import io
        import os
        from flytekit.core.checkpointer import SyncCheckpoint
        from flytekit.exceptions.user import FlyteDataNotFoundException

        first = SyncCheckpoint(checkpoint_dest="first")
        print(first.prev_exists(), first.restore(), first.read())
        first.write(b"state")
        print(os.listdir("first") == [SyncCheckpoint.TMP_DST_PATH])
        second = SyncCheckpoint("second", "first")
        print(second.prev_exists(), second.read())
        third = SyncCheckpoint("second", "first")
        try:
            third.restore("not there")
        except ValueError as problem:
            print(problem)
        os.mkdir("mine")
        print(third.restore("mine"), third.restore("another"), os.listdir("mine"))
        with open("model.bin", "wb") as stream:
            stream.write(b"m")
        third.save("model.bin")
        third.save(io.BytesIO(b"s"))
        os.mkdir("several")
        with open("several/part", "wb") as stream:
            stream.write(b"p")
        third.save("several")
        print(sorted(os.listdir("second")))
        for wrong in (lambda: SyncCheckpoint("x", "second").read(), lambda: third.save(3)):
            try:
                wrong()
            except ValueError as problem:
                print(str(problem).splitlines()[0])
        try:
            SyncCheckpoint("x", "nowhere").restore()
        except FlyteDataNotFoundException as problem:
            print(problem)
    """)
    assert out.splitlines() == [
        "False None None",
        "True",
        "True b'state'",
        "not there is not a folder",
        "  Make it, or let restore() make one.",
        "mine mine ['_dst_cp']",
        "['_dst_cp', 'model.bin', 'part']",
        "the checkpoint consists of 3 files",
        "expected a path or a binary stream, found int",
        "there is no checkpoint at nowhere",
    ]


def test_raw_data_is_put_where_the_program_says(run: Run) -> None:
    out = run("""
        import asyncio
        import io
        import os
        from flytekit.core.data_persistence import FileAccessProvider

        files = FileAccessProvider("sandbox", os.path.abspath("raw"))
        place = files.put_raw_data(io.StringIO("texte \\u00e9"), upload_prefix="a", file_name="b.txt")
        print(os.path.relpath(place), open(place, encoding="utf-8").read())
        known = files.put_raw_data(b"bytes", os.path.abspath("known"), "c", skip_raw_data_prefix=True)
        print(os.path.relpath(known), open(known).read())
        print(os.path.relpath(asyncio.run(files.async_put_raw_data("known/c", upload_prefix="d"))))
        print(files.put_raw_data(b"x") != files.put_raw_data(b"x"))
        away = FileAccessProvider("sandbox", "s3://bucket/folder")
        print(away.generate_new_custom_path(alt="another", stem="e.txt"))
        print(away.generate_new_custom_path().startswith("s3://bucket/folder/"))
    """)
    assert out.splitlines() == [
        "raw/a/b.txt texte é",
        "known/c bytes",
        "raw/d/c",
        "True",
        "s3://another/folder/e.txt",
        "True",
    ]


def test_values_without_a_type_travel(run: Run) -> None:
    out = run("""
        import typing
        from flytekit import conditional, map_task, task, workflow

        class Point:
            def __init__(self, x):
                self.x = x

        @task
        def x_of(point: typing.Any) -> int:
            return point.x

        @task
        def point(x: int) -> typing.Any:
            return Point(x)

        @task(pickle_untyped=True)
        def twice(thing):
            return Point(thing.x * 2)

        @task(pickle_untyped=True)
        def forget(thing):
            pass

        @workflow(pickle_untyped=True)
        def both(thing):
            forget(thing=thing)
            return twice(thing=twice(thing=thing))

        print(map_task(x_of)(point=[Point(1), Point(2)]), [p.x for p in map_task(point)(x=[3, 4])])
        print(both(thing=Point(2)).x, forget(thing=1))

        @workflow
        def checked(x: int) -> int:
            return conditional("sign").if_(x > 0).then(x_of(point=point(x=x))).else_().fail("x must be positive")

        checked.compile()
        try:
            checked(x=-1)
        except ValueError as problem:
            print(problem)
    """)
    assert out.splitlines() == ["[1, 2] [3, 4]", "8 None", "x must be positive"]


def test_schemas_in_dataclasses_of_mashumaro(run: Run) -> None:
    out = run("""
        import warnings
        import pandas as pd
        from flytekit import kwtypes, task
        from flytekit.types.schema import FlyteSchema
        from flytekit.types.structured import StructuredDataset

        warnings.simplefilter("ignore", DeprecationWarning)
        Numbers = FlyteSchema[kwtypes(n=int)]

        @task
        def make() -> Numbers:
            numbers = Numbers()
            numbers.open(pd.DataFrame).write(pd.DataFrame({"n": [1, 2]}))
            return numbers

        made = make()
        # What mashumaro calls for the fields of its dataclasses.
        again = FlyteSchema._deserialize(made._serialize())
        print(type(again) is FlyteSchema, int(again.open(pd.DataFrame).all()["n"].sum()))
        print(isinstance(StructuredDataset._deserialize(made._serialize()), StructuredDataset))
    """)
    assert out.splitlines() == ["True 3", "True"]


def test_references_are_mocked(run: Run) -> None:
    out = run("""
        import typing
        from flytekit import map_task, reference_launch_plan, reference_task, reference_workflow, task, workflow
        from flytekit.testing import patch, task_mock

        where = {"project": "p", "domain": "d", "version": "1"}

        @reference_task(name="lib.join", **where)
        def join(words: typing.List[str]) -> str: ...

        @reference_workflow(name="lib.both", **where)
        def both(x: int) -> typing.Tuple[str, int]: ...

        @reference_launch_plan(name="lib.daily", **where)
        def daily(x: int) -> int: ...

        @task
        def words(n: int) -> typing.List[str]:
            return ["a"] * n

        @workflow
        def flow(n: int) -> typing.Tuple[str, int, int]:
            text, number = both(x=n)
            return join(words=words(n=n)), number, daily(n)

        @patch(both)
        def check(both_mock):
            both_mock.return_value = ("text", 7)
            with task_mock(join) as join_mock, task_mock(daily) as daily_mock:
                join_mock.side_effect = lambda words: "-".join(words)
                daily_mock.return_value = 9
                print(tuple(flow(n=3)), both(1))
                daily_mock.assert_called_once_with(x=3)

        check()
        for mock in (lambda: flow(n=1), lambda: task_mock(map_task(words)).__enter__()):
            try:
                mock()
            except Exception as problem:
                print(str(problem).splitlines()[-1].strip())
    """)
    first, second, third = out.splitlines()
    assert first == "('a-a-a', 7, 9) ('text', 7)"
    assert "replaced_by" in second
    assert third == "Mock the tasks that it is made of."


def test_optional_values_are_looked_at_when_they_are_there(run: Run) -> None:
    out = run("""
        from dataclasses import dataclass
        from typing import List, Optional, Union
        from flytekit import task, workflow

        @dataclass
        class Inner:
            n: int

        @dataclass
        class Outer:
            inner: Optional[Inner]

        @task
        def make(n: Optional[int]) -> Outer:
            return Outer(None if n is None else Inner(n))

        @task
        def take(inner: Inner) -> Union[int, List[int], None]:
            return inner.n

        @workflow
        def flow(n: Optional[int] = None) -> Optional[int]:
            return take(inner=make(n=n).inner)

        print(flow(n=3))
        try:
            flow()
        except TypeError as problem:
            print(problem)
    """)
    first, second = out.splitlines()
    assert first == "3"
    assert second.startswith("input 'inner' of task ")
    assert second.endswith("take: expected Inner, found None")


def test_builders_that_a_program_registers_build_its_images(run: Run) -> None:
    out = run(
        """
        from flytekit import ImageSpec, task
        from flytekit.constants import CopyFileDetection
        from flytekit.image_spec.image_spec import ImageBuildEngine, ImageSpecBuilder
        from flytekit.image_spec.noop_builder import NoOpBuilder

        class Loud(ImageSpecBuilder):
            def build_image(self, image_spec):
                print("building", image_spec.name)
                return f"registry.example/{image_spec.name}:built" if image_spec.name == "top" else None

        ImageBuildEngine.register("loud", Loud(), priority=10)
        base = ImageSpec(name="Base")
        top = ImageSpec(name="top", base_image=base)
        before = base.image_name()
        ImageBuildEngine.build(top)
        print(top.image_name(), base.image_name() == before, top.tag == top.id)

        @task
        def inside() -> None:
            ImageBuildEngine.build(top)

        inside()
        try:
            ImageBuildEngine.build(ImageSpec(builder="lod"))
        except Exception as problem:
            print(problem)
        print(NoOpBuilder().build_image(ImageSpec(base_image="registry.example/here")))
        try:
            NoOpBuilder().build_image(top)
        except ValueError as problem:
            print("base_image must be a string" in str(problem))
        source = ImageSpec(source_root=".")
        print(source.source_copy_mode, len(source.description().layers))
        print(len(ImageSpec(source_root=".", source_copy_mode=CopyFileDetection.NO_COPY).description().layers))
        """
    )
    lines = out.splitlines()
    assert lines[:4] == [
        "building base",
        "building top",
        "registry.example/top:built True True",
        "unknown image builder 'lod'",
    ]
    assert lines[-4:] == ["registry.example/here", "True", "CopyFileDetection.LOADED_MODULES 1", "0"]


def test_files_of_secrets_have_the_path_that_flyte_gives_them(run: Run, tmp_path: Path) -> None:
    out = run(
        """
        from flytekit import Secret, current_context, task
        from flytekit.testing import SecretsManager

        @task(secret_requests=[Secret(group="Db", key="Token", mount_requirement=Secret.MountType.ENV_VAR)])
        def path() -> str:
            return current_context().secrets.get_secrets_file("Db", "Token")

        print(path() == SecretsManager().get_secrets_file("Db", "Token"), path())
        """,
        _FSEC_DB_TOKEN="abcdefgh",
        FLYTE_SECRETS_DEFAULT_DIR=str(tmp_path / "secrets"),
    )
    assert out.splitlines() == [f"True {tmp_path / 'secrets'}/db/token"]
