"""Outcomes that workers write and engines read."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any

import msgspec
import pytest

from alula_kernel.builtin.backends.file import FileBackend
from alula_kernel.contracts import Outcome
from alula_kernel.errors import StorageError
from alula_kernel.literals import Scalar
from alula_kernel.storage import Storage
from alula_kernel.worker_protocol import load_outcome, outcome_uri


class Late(Storage):
    """A storage in which an outcome appears just after it was looked for in vain."""

    def open(self, uri: str, mode: str = "rb", **options: Any) -> IO[Any]:
        try:
            return super().open(uri, mode, **options)
        except StorageError:
            with super().open(uri, "wb") as stream:
                stream.write(msgspec.msgpack.encode(Outcome(kind="succeeded", outputs={"o0": Scalar(2)})))
            raise


def test_one_that_is_written_while_it_is_looked_for_is_read(tmp_path: Path) -> None:
    outcome = load_outcome(Late([FileBackend()], tmp_path.as_uri()), f"{tmp_path.as_uri()}/attempt")
    assert outcome is not None
    assert outcome.outputs == {"o0": Scalar(2)}


def test_there_is_none_before_it_is_written(tmp_path: Path) -> None:
    assert load_outcome(Storage([FileBackend()], tmp_path.as_uri()), f"{tmp_path.as_uri()}/attempt") is None


def test_what_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    prefix = f"{tmp_path.as_uri()}/attempt"
    path = Path(outcome_uri(str(tmp_path / "attempt")))
    path.mkdir(parents=True)
    with pytest.raises(StorageError, match="cannot read"):
        load_outcome(Storage([FileBackend()], tmp_path.as_uri()), prefix)
