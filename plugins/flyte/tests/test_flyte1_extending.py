"""Programs that extend Flyte 1: types, data frames, kinds of tasks and sensors of their own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

Run = Callable[[str], str]


def test_types_of_a_program(run: Run) -> None:
    out = run("""
        import os
        from typing import List, Optional
        from flytekit import (
            Blob, BlobMetadata, BlobType, FlyteContext, Literal, LiteralType, Scalar, task, workflow
        )
        from flytekit.core.type_engine import SimpleTransformer, TypeTransformerFailedError
        from flytekit.extend import TypeEngine, TypeTransformer
        from flytekit.models.literals import Primitive
        from flytekit.models.types import SimpleType

        class Album:
            def __init__(self, folder):
                self.folder = folder

        class AlbumTransformer(TypeTransformer[Album]):
            KIND = BlobType(format="binary", dimensionality=BlobType.BlobDimensionality.MULTIPART)

            def __init__(self):
                super().__init__(name="album", t=Album)

            def get_literal_type(self, t):
                return LiteralType(blob=self.KIND)

            def to_literal(self, ctx: FlyteContext, python_val, python_type, expected):
                place = ctx.file_access.get_random_remote_directory()
                ctx.file_access.upload_directory(python_val.folder, place)
                return Literal(scalar=Scalar(blob=Blob(uri=place, metadata=BlobMetadata(type=self.KIND))))

            def to_python_value(self, ctx: FlyteContext, lv, expected_python_type):
                folder = ctx.file_access.get_random_local_directory()
                ctx.file_access.download_directory(lv.scalar.blob.uri, folder)
                return Album(folder)

        TypeEngine.register(AlbumTransformer())

        class Age(int):
            pass

        TypeEngine.register(SimpleTransformer(
            "age", Age, LiteralType(simple=SimpleType.INTEGER),
            lambda age: Literal(scalar=Scalar(primitive=Primitive(integer=int(age)))),
            lambda literal: Age(literal.scalar.primitive.integer),
        ))
        try:
            TypeEngine.register(AlbumTransformer())
        except ValueError:
            print("registered already")

        @task
        def make(n: int) -> Album:
            folder = FlyteContext.current_context().file_access.get_random_local_directory()
            for i in range(n):
                with open(os.path.join(folder, f"{i}.txt"), "w") as stream:
                    stream.write(str(i))
            return Album(folder)

        @task
        def names(album: Album, other: Optional[Album] = None) -> List[str]:
            return sorted(os.listdir(album.folder))

        @task
        def older(ages: List[Age]) -> Age:
            return Age(max(ages) + 1)

        @task
        def wrong() -> Album:
            return "no album"

        @workflow
        def wf(n: int) -> List[str]:
            return names(album=make(n=n))

        print(wf(n=2), type(older(ages=[Age(3), Age(4)])).__name__)
        try:
            wrong()
        except TypeTransformerFailedError as problem:
            print(problem)
        """)
    assert out.splitlines() == [
        "registered already",
        "['0.txt', '1.txt'] Age",
        "output 'o0' of task program.wrong: album takes values of <class '__main__.Album'>, found a str: 'no album'",
    ]


def test_literals_can_be_made_and_read(run: Run) -> None:
    out = run("""
        import datetime as dt
        from dataclasses import dataclass
        from typing import Dict, List
        from flytekit import FlyteContextManager
        from flytekit.extend import TypeEngine

        @dataclass
        class Point:
            x: int
            y: float

        ctx = FlyteContextManager.current_context()
        now = dt.datetime(2024, 1, 2, tzinfo=dt.timezone.utc)
        for value, kind in (
            (1, int), (2.5, float), ("a", str), (True, bool), (None, None), (now, dt.datetime),
            (dt.timedelta(hours=1), dt.timedelta), ([1, 2], List[int]), ({"a": [1.0]}, Dict[str, List[float]]),
            (Point(1, 2.0), Point), ({"a": [1, None]}, dict),
        ):
            literal = TypeEngine.to_literal(ctx, value, kind, TypeEngine.to_literal_type(kind))
            assert TypeEngine.to_python_value(ctx, literal, kind) == value, (value, literal)
        literal = TypeEngine.to_literal(ctx, [now], List[dt.datetime])
        print(literal.collection.literals[0].scalar.primitive.datetime == now)
        """)
    assert out == "True\n"


def test_data_frames_of_a_program(run: Run) -> None:
    out = run("""
        import os
        import typing
        import numpy as np
        import pandas as pd
        from flytekit import FlyteContext, StructuredDataset, StructuredDatasetType, task, workflow
        from flytekit.models import literals
        from flytekit.types.structured import register_csv_handlers
        from flytekit.types.structured.structured_dataset import (
            PARQUET, StructuredDatasetDecoder, StructuredDatasetEncoder, StructuredDatasetTransformerEngine,
        )

        register_csv_handlers()

        class Encoder(StructuredDatasetEncoder):
            def encode(self, ctx: FlyteContext, structured_dataset, structured_dataset_type):
                path = os.path.join(ctx.file_access.get_random_local_directory(), "array.npy")
                np.save(path, structured_dataset.dataframe)
                place = ctx.file_access.get_random_remote_path("array.npy")
                ctx.file_access.upload(path, place)
                kind = StructuredDatasetType(format="npy")
                return literals.StructuredDataset(
                    uri=place, metadata=literals.StructuredDatasetMetadata(structured_dataset_type=kind)
                )

        class Decoder(StructuredDatasetDecoder):
            def decode(self, ctx: FlyteContext, flyte_value, current_task_metadata):
                path = ctx.file_access.get_random_local_path("array.npy")
                ctx.file_access.get_data(flyte_value.uri, path)
                return np.load(path)

        StructuredDatasetTransformerEngine.register(Encoder(np.ndarray, None, "npy"), default_for_type=True)
        StructuredDatasetTransformerEngine.register(Decoder(np.ndarray, None, "npy"))

        @task
        def make() -> StructuredDataset:
            return StructuredDataset(dataframe=np.array([[1, 2], [3, 4]]))

        @task
        def total(data: StructuredDataset) -> int:
            return int(data.open(np.ndarray).all().sum())

        @task
        def table() -> pd.DataFrame:
            return pd.DataFrame({"a": [1, 2]})

        @workflow
        def wf() -> typing.Tuple[int, pd.DataFrame]:
            return total(data=make()), table()

        found = wf()
        print(found.o0, list(found.o1.a), PARQUET)
        """)
    assert out == "10 [1, 2] parquet\n"


def test_types_of_data_frames_keep_their_columns(run: Run) -> None:
    out = run("""
        import datetime
        from typing import Annotated

        import pandas as pd
        from flytekit import kwtypes
        from flytekit.core.type_engine import TypeEngine
        from flytekit.models.types import SimpleType

        columns = kwtypes(name=str, age=int, born=datetime.datetime, tags=dict[str, int])
        kind = TypeEngine.to_literal_type(Annotated[pd.DataFrame, columns, "csv"]).structured_dataset_type
        for column in kind.columns:
            print(column.name, column.literal_type.simple == {
                "name": SimpleType.STRING, "age": SimpleType.INTEGER, "born": SimpleType.DATETIME, "tags": SimpleType.STRUCT
            }[column.name])
        print(kind.format)
        """)
    assert out == "name True\nage True\nborn True\ntags True\ncsv\n"


def test_kinds_of_tasks_of_a_program(run: Run) -> None:
    out = run("""
        from dataclasses import dataclass
        from flytekit import PythonFunctionTask, TaskMetadata, task, workflow
        from flytekit.extend import Interface, PythonTask, TaskPlugins

        class Repeat(PythonTask):
            def __init__(self, name: str, times: int, **kwargs):
                super().__init__(
                    task_type="repeat", name=name, task_config=None,
                    interface=Interface(inputs={"word": str, "end": (str, "!")}, outputs={"o0": str}), **kwargs,
                )
                self.times = times

            def execute(self, **kwargs) -> str:
                return kwargs["word"] * self.times + kwargs["end"]

        repeat = Repeat("repeat-it", 2, metadata=TaskMetadata(retries=1))

        @dataclass
        class Loud:
            mark: str

        class LoudTask(PythonFunctionTask[Loud]):
            def __init__(self, task_config: Loud, task_function, **kwargs):
                super().__init__(task_config=task_config, task_function=task_function, task_type="loud", **kwargs)

            def pre_execute(self, user_params):
                print("before", user_params is not None)
                return user_params

            def execute(self, **kwargs) -> str:
                return PythonFunctionTask.execute(self, **kwargs).upper() + self.task_config.mark

            def post_execute(self, user_params, rval):
                print("after")
                return rval

        TaskPlugins.register_pythontask_plugin(Loud, LoudTask)

        @task(task_config=Loud("?"))
        def say(word: str) -> str:
            return word

        @workflow
        def wf(word: str) -> str:
            return say(word=repeat(word=word))

        print(wf(word="ab"), isinstance(say, LoudTask))
        """)
    assert out == "before True\nafter\nABAB!? True\n"


def test_sensors(run: Run, tmp_path: Path) -> None:
    out = run("""
        import threading
        import time
        from flytekit import task, workflow
        from flytekit.sensor import BaseSensor, FileSensor

        class Counter(BaseSensor):
            looks = 0

            async def poke(self, limit: int) -> bool:
                self.looks += 1
                return self.looks >= limit

        there = FileSensor(name="there")
        counted = Counter(name="counted", timeout=60)

        @task
        def done() -> str:
            return "done"

        @workflow
        def wf(path: str) -> str:
            waited = there(path=path)
            counting = counted(limit=2)
            last = done()
            waited >> last
            counting >> last
            return last

        threading.Timer(0.5, lambda: open("it.txt", "w").close()).start()
        print(wf(path="it.txt"), counted.looks)
        """)
    assert out == "done 2\n"
