"""Data frames, files and directories as tables."""

from __future__ import annotations

import functools
import gzip
import io
import json
import re
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import alula
from alula_duckdb import DuckDBQuery, QueryFailedError
from alula_duckdb.filesystem import StorageFileSystem
from alula_kernel.errors import StorageError, UsageError

TABLE = pa.table({"n": [1, 2, 3], "text": ["a", None, "c"]})
SUM = "SELECT sum(n)::INT AS s, count(text) AS c FROM data"


def rows(query: DuckDBQuery, **inputs: Any) -> list[dict[str, Any]]:
    return query(**inputs).open(pa.Table).all().to_pylist()  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("python_type", "value"),
    [
        (pd.DataFrame, TABLE.to_pandas()),
        (pl.DataFrame, pl.from_arrow(TABLE)),
        (pl.LazyFrame, pl.from_arrow(TABLE).lazy()),  # type: ignore[union-attr]
        (pa.Table, TABLE),
        (alula.DataFrame, TABLE.to_pandas()),
        (alula.DataFrame, alula.DataFrame(TABLE)),
        (alula.DataFrame, alula.DataFrame(TABLE, file_format="csv")),
        (alula.DataFrame, alula.DataFrame(TABLE, file_format="arrow")),
        (pd.DataFrame | None, TABLE.to_pandas()),
    ],
)
def test_data_frames_of_every_library_and_format_are_views(python_type: Any, value: Any) -> None:
    query = DuckDBQuery("frames", SUM, inputs={"data": python_type})
    assert rows(query, data=value) == [{"s": 6, "c": 2}]


def test_a_stream_of_batches_is_a_view() -> None:
    query = DuckDBQuery("stream", SUM, inputs={"data": pa.RecordBatchReader})
    assert rows(query, data=TABLE.to_reader()) == [{"s": 6, "c": 2}]


def test_a_view_may_be_read_twice_and_joined() -> None:
    query = DuckDBQuery("join", "SELECT count(*) AS c FROM one JOIN two USING (n) JOIN one AS more USING (n)",
                        inputs={"one": pd.DataFrame, "two": pl.DataFrame})  # fmt: skip
    assert rows(query, one=TABLE.to_pandas(), two=pl.DataFrame({"n": [2, 3, 4]})) == [{"c": 2}]


def test_only_declared_columns_are_seen() -> None:
    declared = Annotated[alula.DataFrame, alula.kwtypes(n=int)]
    assert rows(DuckDBQuery("columns", "SELECT * FROM data LIMIT 1", inputs={"data": declared}), data=TABLE) == [
        {"n": 1}
    ]


def test_a_table_may_be_called_like_a_word_of_sql(tmp_path: Path) -> None:
    pq.write_table(TABLE, tmp_path / "t.parquet")
    query = DuckDBQuery(
        "order", 'SELECT count(*) AS c FROM "order", "select"', inputs={"order": pd.DataFrame, "select": alula.File}
    )
    assert rows(query, order=TABLE.to_pandas(), select=alula.File(str(tmp_path / "t.parquet"))) == [{"c": 9}]


def write(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [{"n": n, "text": text} for n, text in zip(*TABLE.to_pydict().values(), strict=True)]
    csv = "n,text\n1,a\n2,\n3,c\n"
    match path.name.partition(".")[2]:
        case "parquet":
            pq.write_table(TABLE, path)
        case "csv" | "data":
            path.write_text(csv)
        case "csv.gz":
            path.write_bytes(gzip.compress(csv.encode()))
        case "json":
            path.write_text(json.dumps(lines))
        case "jsonl":
            path.write_text("\n".join(map(json.dumps, lines)))
        case "arrow":
            with pa.ipc.new_file(path, TABLE.schema) as writer:
                writer.write_table(TABLE)
    return path


@pytest.mark.parametrize("suffix", ["parquet", "csv", "csv.gz", "json", "jsonl", "arrow"])
@pytest.mark.parametrize("folder", ["plain", "it's [1] *odd?"])
def test_files_are_views_by_their_format(tmp_path: Path, folder: str, suffix: str) -> None:
    file = alula.File(str(write(tmp_path / folder / f"data.{suffix}")))
    assert rows(DuckDBQuery("files", SUM, inputs={"data": alula.File}), data=file) == [{"s": 6, "c": 2}]


def test_files_are_read_where_they_lie(tmp_path: Path) -> None:
    """A file that exists elsewhere and is passed on without a copy is read there, whatever characters its path has."""
    path = write(tmp_path / "it's [1] *odd?" / "data.parquet")
    file = alula.File.from_existing_remote(path.as_uri())
    assert rows(DuckDBQuery("files", SUM, inputs={"data": alula.File}), data=file) == [{"s": 6, "c": 2}]


def test_a_declared_format_counts(tmp_path: Path) -> None:
    file = alula.File(str(write(tmp_path / "data.data")))
    assert rows(DuckDBQuery("declared", SUM, inputs={"data": alula.File["csv"]}), data=file) == [{"s": 6, "c": 2}]  # type: ignore[type-arg, name-defined]


def test_a_file_may_be_read_by_the_query_itself(tmp_path: Path) -> None:
    (tmp_path / "odd.txt").write_text("1;a\n2;b\n")
    query = DuckDBQuery(
        "custom", "SELECT * FROM read_csv($data, delim = ';', names = ['n', 'text'])", inputs={"data": alula.File}
    )
    assert rows(query, data=alula.File(str(tmp_path / "odd.txt"))) == [{"n": 1, "text": "a"}, {"n": 2, "text": "b"}]


def test_a_file_of_no_known_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "odd.txt").write_text("1;a\n")
    query = DuckDBQuery("unknown", "SELECT * FROM data", inputs={"data": alula.File})
    with pytest.raises(UsageError, match="input 'data' is no table: found 'txt', expected files of one of the formats"):
        query(data=alula.File(str(tmp_path / "odd.txt")))


def test_a_directory_is_one_table(tmp_path: Path) -> None:
    for name in ("a.parquet", "deep/b.parquet"):
        write(tmp_path / "parts" / name)
    (tmp_path / "parts" / "_SUCCESS").write_text("")
    directory = alula.Directory(str(tmp_path / "parts"))
    assert rows(DuckDBQuery("directory", SUM, inputs={"data": alula.Directory}), data=directory) == [{"s": 12, "c": 4}]
    (tmp_path / "parts" / "c.csv").write_text("n,text\n")
    with pytest.raises(UsageError, match="found 'csv', 'parquet'"):
        DuckDBQuery("directory", SUM, inputs={"data": alula.Directory})(data=alula.Directory(str(tmp_path / "parts")))


def test_a_data_frame_of_many_files_is_one_table(tmp_path: Path) -> None:
    for name in ("part-0.parquet", "part-1.parquet"):
        write(tmp_path / "written_by_spark" / name)
    frame = alula.DataFrame(uri=str(tmp_path / "written_by_spark"), file_format="parquet")
    assert rows(DuckDBQuery("spark", SUM, inputs={"data": alula.DataFrame}), data=frame) == [{"s": 12, "c": 4}]


def test_an_optional_table_may_be_left_out() -> None:
    query = DuckDBQuery("optional", "SELECT 1 AS a", inputs={"data": (pd.DataFrame | None, None)})
    assert rows(query) == [{"a": 1}]
    using = DuckDBQuery("optional", SUM, inputs={"data": (pd.DataFrame | None, None)})
    with pytest.raises(QueryFailedError, match="data"):
        using()


# --- storage that is not the local disk ------------------------------------------------------------------------------


class Served:
    """A web server with a folder, which counts the bytes that it sends."""

    def __init__(self, folder: Path) -> None:
        self.sent = 0
        self.ranges = True
        self.folder = folder
        self.address = ""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    world = Served(tmp_path / "served")
    world.folder.mkdir()

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *arguments: object) -> None:
            pass

        def send_head(self) -> Any:
            path = Path(self.translate_path(self.path))
            wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", "")) if world.ranges else None
            if not path.is_file() or self.command == "HEAD":
                return super().send_head()
            content = path.read_bytes()
            first, last = (int(wanted[1]), min(int(wanted[2]), len(content) - 1)) if wanted else (0, len(content) - 1)
            self.send_response(206 if wanted else 200)
            if wanted:
                self.send_header("Content-Range", f"bytes {first}-{last}/{len(content)}")
            self.send_header("Content-Length", str(last + 1 - first))
            self.end_headers()
            world.sent += last + 1 - first
            return io.BytesIO(content[first : last + 1])

    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(world.folder))) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        world.address = f"http://127.0.0.1:{server.server_port}"
        yield world
        server.shutdown()
        thread.join()


def test_remote_files_are_read_through_the_storage(served: Served) -> None:
    write(served.folder / "data.parquet")
    write(served.folder / "data.csv")
    for name in ("data.parquet", "data.csv"):
        file = alula.File.from_existing_remote(f"{served.address}/{name}")
        assert rows(DuckDBQuery("remote", SUM, inputs={"data": alula.File}), data=file) == [{"s": 6, "c": 2}]
    frame = alula.DataFrame.from_existing_remote(f"{served.address}/data.parquet")
    assert rows(DuckDBQuery("remote", SUM, inputs={"data": alula.DataFrame}), data=frame) == [{"s": 6, "c": 2}]


def test_only_what_is_needed_of_a_remote_file_is_fetched(served: Served) -> None:
    import random

    draw = random.Random(1)
    table = pa.table({"small": range(200_000), "large": [draw.randbytes(200) for _ in range(200_000)]})
    pq.write_table(table, served.folder / "wide.parquet", row_group_size=50_000)
    frame = alula.DataFrame.from_existing_remote(f"{served.address}/wide.parquet")
    query = DuckDBQuery("part", "SELECT max(small) AS m FROM data", inputs={"data": alula.DataFrame})
    assert rows(query, data=frame) == [{"m": 199_999}]
    size = (served.folder / "wide.parquet").stat().st_size
    assert size > 40_000_000
    assert served.sent < size / 2


def test_a_server_that_sends_whole_files_will_do(served: Served) -> None:
    served.ranges = False
    write(served.folder / "data.parquet")
    file = alula.File.from_existing_remote(f"{served.address}/data.parquet")
    assert rows(DuckDBQuery("whole", SUM, inputs={"data": alula.File}), data=file) == [{"s": 6, "c": 2}]


def test_a_missing_remote_file_is_named(served: Served) -> None:
    file = alula.File.from_existing_remote(f"{served.address}/missing.parquet")
    with pytest.raises(StorageError, match=r"missing\.parquet"):
        DuckDBQuery("missing", SUM, inputs={"data": alula.File})(data=file)


def test_the_file_system_hides_uris_and_is_read_only(tmp_path: Path) -> None:
    storage = alula.current_app().storage
    blob = storage.put_bytes(b"n\n1\n", name="a b.csv")
    files = StorageFileSystem(storage, str(tmp_path / "copies"))
    assert files.path_of(blob.uri) == storage.local_path(blob.uri)
    with storage.writer(uri="memory://a-bucket/se'cret *.csv.gz") as stream:
        stream.write(b"content")
    path = files.path_of("memory://a-bucket/se'cret *.csv.gz")
    assert re.fullmatch(r"alula://0/[\w.]+\.csv\.gz", path)
    assert files.info(path)["size"] == 7
    assert files.exists(path)
    assert files.glob(path) == [path]
    assert files.glob("alula://*") == []
    with pytest.raises(StorageError, match="can only be read"):
        files.open(path, "wb")
    files.close()
