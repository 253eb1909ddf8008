"""Types of Flyte's plugins: lines of JSON, data frames with schemas, configurations."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.one_python


@pytest.fixture
def run(write: Callable[[str, str], Path], python: Callable[..., Any]) -> Callable[[str], Any]:
    """Run a program for Flyte."""
    return lambda source: python("-W", "default", "-m", "alula_flyte", str(write("program.py", source)))


def _output(answer: Any) -> list[str]:
    assert answer.code == 0, answer.err
    return str(answer.out).splitlines()


def test_lines_of_json_in_a_file(run: Callable[[str], Any]) -> None:
    answer = run(
        """
        import json
        import flyte
        from flyteplugins.jsonl import JsonlFile

        env = flyte.TaskEnvironment("lines")

        @env.task
        async def make(name: str) -> JsonlFile:
            file = JsonlFile.new_remote(name)
            async with file.writer(flush_bytes=20) as writer:
                await writer.write({"n": 0, "text": "é"})
                await writer.write_many([{"n": n} for n in range(1, 5)])
                await writer.write_raw(b"\\n")
                await writer.flush()
                await writer.write({"n": 5})
            return file

        @env.task
        async def read(file: JsonlFile) -> list[int]:
            return [record["n"] async for record in file.iter_records()]

        @env.task
        def read_sync(file: JsonlFile) -> list[int]:
            return [record["n"] for record in file.iter_records_sync()]

        @env.task
        async def rows(file: JsonlFile) -> list[int]:
            return [batch.num_rows async for batch in file.iter_arrow_batches(batch_size=4)]

        @env.task
        def broken() -> list[str]:
            file = JsonlFile.new_remote("broken.jsonl")
            with file.writer_sync() as writer:
                writer.write_raw(b'{"n": 1}\\nnothing\\n{"n": 2}\\n')
            told = []
            kept = [r["n"] for r in file.iter_records_sync(lambda number, line, problem: told.append((number, line)))]
            skipped = [r["n"] for r in file.iter_records_sync("skip")]
            try:
                list(file.iter_records_sync())
            except json.JSONDecodeError as e:
                return [str(kept), str(skipped), str(told), "JSONDecodeError"]
            return []

        for name in ("a.jsonl", "a.jsonl.zst"):
            file = flyte.run(make, name).outputs()[0]
            print(*(flyte.run(task, file).outputs()[0] for task in (read, read_sync, rows)))
            print(open(file.download(), "rb").read(5) == b'{"n":')
        print(flyte.run(broken).outputs()[0])
        try:
            list(file.iter_records_sync("ignore"))
        except Exception as e:
            print(str(e).splitlines()[0])
        """
    )
    assert _output(answer) == [
        "[0, 1, 2, 3, 4, 5] [0, 1, 2, 3, 4, 5] [4, 2]",
        "True",
        "[0, 1, 2, 3, 4, 5] [0, 1, 2, 3, 4, 5] [4, 2]",
        "False",
        "['[1, 2]', '[1, 2]', \"[(2, b'nothing')]\", 'JSONDecodeError']",
        "on_error is 'ignore'",
    ]
    assert "line 2 is left out: " in answer.err


def test_lines_of_json_in_a_directory(run: Callable[[str], Any]) -> None:
    answer = run(
        """
        import flyte
        from flyteplugins.jsonl import JsonlDir

        env = flyte.TaskEnvironment("shards")

        @env.task
        async def make(extension: str) -> JsonlDir:
            folder = JsonlDir.new_remote("numbers")
            async with folder.writer(shard_extension=extension, max_records_per_shard=2) as writer:
                for n in range(5):
                    await writer.write({"n": n})
            return folder

        @env.task
        async def more(folder: JsonlDir) -> JsonlDir:
            with folder.writer_sync(max_bytes_per_shard=20) as writer:
                writer.write_many({"n": n} for n in range(5, 8))
            return folder

        @env.task
        async def show(folder: JsonlDir) -> list[str]:
            names = [file.name for file in folder.walk_sync(recursive=False)]
            records = [record["n"] async for record in folder.iter_records()]
            batches = [len(batch) async for batch in folder.iter_batches(batch_size=3)]
            tables = [batch.num_rows for batch in folder.iter_arrow_batches_sync()]
            return [*names, str(records), str(batches), str(tables), str(len(list(folder.iter_batches_sync(2))))]

        for extension in (".jsonl", ".jsonl.zst"):
            folder = flyte.run(make, extension).outputs()[0]
            print(*flyte.run(show, folder).outputs()[0])
        print(*flyte.run(show, flyte.run(more, folder).outputs()[0]).outputs()[0])
        print(len(flyte.run(show, folder).outputs()[0]))
        """
    )
    assert _output(answer) == [
        "part-00000.jsonl part-00001.jsonl part-00002.jsonl [0, 1, 2, 3, 4] [3, 2] [2, 2, 1] 3",
        "part-00000.jsonl.zst part-00001.jsonl.zst part-00002.jsonl.zst [0, 1, 2, 3, 4] [3, 2] [2, 2, 1] 3",
        " ".join(f"part-{n:05d}.jsonl{'.zst' if n < 3 else ''}" for n in range(5))
        + " [0, 1, 2, 3, 4, 5, 6, 7] [3, 3, 2] [2, 2, 1, 2, 1] 4",
        "7",
    ]


_SCHEMAS = {
    "pandas": "import pandas as lib, pandera.pandas as pa, pandera.typing.pandas as pt",
    "polars": "import polars as lib, pandera.polars as pa, pandera.typing.polars as pt",
}


@pytest.mark.parametrize("library", _SCHEMAS)
def test_frames_are_checked_against_their_schema(run: Callable[[str], Any], library: str) -> None:
    answer = run(
        f"""
        from typing import Annotated
        {_SCHEMAS[library]}
        import flyte, flyte.io
        from flyteplugins.pandera import ValidationConfig

        class Rows(pa.DataFrameModel):
            n: int = pa.Field(ge=0)

        env = flyte.TaskEnvironment("checked")

        @env.task
        def make(n: int) -> pt.DataFrame[Rows]:
            return lib.DataFrame({{"n": [1, n]}})

        @env.task
        def double(frame: pt.DataFrame[Rows]) -> int:
            assert type(frame) is lib.DataFrame
            return 2 * int(frame["n"].sum())

        @env.task
        def lenient(frame: Annotated[pt.DataFrame[Rows], ValidationConfig(on_error="warn")]) -> int:
            return int(frame["n"].sum())

        @env.task
        def handed(frame: flyte.io.DataFrame) -> pt.DataFrame[Rows]:
            return frame

        print(flyte.run(double, flyte.run(make, 3).outputs()[0]).outputs()[0])
        print(len(flyte.run(handed, flyte.io.DataFrame.from_df(lib.DataFrame({{"n": [1]}}))).outputs()[0]))
        wrong = lib.DataFrame({{"n": [1, -5]}})
        for task, value in ((make, -1), (double, wrong), (handed, flyte.io.DataFrame.from_df(wrong))):
            try:
                flyte.run(task, value)
            except Exception as e:
                print(type(e).__name__, "does not fit the schema Rows" in str(e), "greater_than_or_equal_to" in str(e))
        print(flyte.run(lenient, wrong).outputs()[0])
        """
    )
    assert _output(answer) == ["8", "1", *["ValueConversionError True True"] * 3, "-4"]
    assert "the data frame does not fit the schema Rows: " in answer.err


def test_frames_of_flyte_1_are_checked(run: Callable[[str], Any]) -> None:
    answer = run(
        """
        from typing import Annotated
        import pandas as pd, pandera.pandas as pa
        from pandera.typing import DataFrame
        from flytekit import task, workflow
        from flytekitplugins.pandera import ValidationConfig

        class Rows(pa.DataFrameModel):
            n: int = pa.Field(ge=0)

        @task
        def make(n: int) -> DataFrame[Rows]:
            return pd.DataFrame({"n": [n]})

        @task
        def count(frame: Annotated[DataFrame[Rows], ValidationConfig("raise")]) -> int:
            return len(frame)

        @workflow
        def flow(n: int = 1) -> int:
            return count(frame=make(n=n))

        print(flow())
        try:
            flow(n=-1)
        except Exception as e:
            print(type(e).__name__)
        """
    )
    assert _output(answer) == ["1", "ValueConversionError"]


def test_configurations_keep_what_they_are(run: Callable[[str], Any]) -> None:
    answer = run(
        """
        import dataclasses
        import html
        import urllib.parse
        from omegaconf import MISSING, DictConfig, ListConfig, OmegaConf
        import flyte
        from flyteplugins.omegaconf import log_yaml

        @dataclasses.dataclass
        class Training:
            rate: float = 0.1
            data: str = MISSING

        env = flyte.TaskEnvironment("configured")

        @env.task(report=True)
        async def change(config: DictConfig, layers: ListConfig) -> DictConfig:
            await log_yaml.aio(config, title="What <it> is", sort_keys=True)
            config.rate = layers[0]
            return config

        run = flyte.run(change, OmegaConf.structured(Training), OmegaConf.create([0.5, 2]))
        config = run.outputs()[0]
        print(config.rate, OmegaConf.is_missing(config, "data"), OmegaConf.get_type(config).__name__)
        report = html.unescape(open(urllib.parse.urlparse(run.url).path).read())
        print("What &lt;it&gt; is" in report, report.index("data:") < report.index("rate: 0.1"))
        """
    )
    assert _output(answer) == ["0.5 True Training", "True True"]


def test_datasets_of_lance_are_data_frames(run: Callable[[str], Any]) -> None:
    answer = run(
        """
        import tempfile
        from typing import Annotated
        import flyte
        import lance
        import pyarrow as pa
        from flyte.io import DataFrame

        env = flyte.TaskEnvironment("lanced")

        @env.task
        async def table() -> Annotated[DataFrame, "lance"]:
            return DataFrame.from_df(pa.table({"n": [1, 2, 3], "text": ["a", "b", "c"]}))

        @env.task
        async def reference() -> DataFrame:
            uri = tempfile.mkdtemp() + "/numbers.lance"
            lance.write_dataset(pa.table({"n": [1]}), uri)
            lance.write_dataset(pa.table({"n": [2]}), uri, mode="append")
            return DataFrame(uri=uri, format="lance")

        @env.task
        async def dataset() -> lance.LanceDataset:
            return lance.write_dataset(pa.table({"n": [4, 5]}), tempfile.mkdtemp() + "/numbers.lance")

        @env.task
        async def count(found: lance.LanceDataset) -> list[int]:
            return [found.count_rows(), len(found.get_fragments()), sum(found.to_table()["n"].to_pylist())]

        @env.task
        async def read(found: DataFrame) -> list[int]:
            return (await found.open(pa.Table).all())["n"].to_pylist()

        @env.task
        async def one(found: Annotated[pa.Table, {"n": int}]) -> list[str]:
            return found.column_names

        for task in (table, reference, dataset):
            made = flyte.run(task).outputs()[0]
            print(*(flyte.run(reader, made).outputs()[0] for reader in (count, read)))
        print(flyte.run(one, flyte.run(table).outputs()[0]).outputs()[0])
        """
    )
    assert _output(answer) == ["[3, 1, 6] [1, 2, 3]", "[2, 2, 3] [1, 2]", "[2, 1, 9] [4, 5]", "['n']"]
