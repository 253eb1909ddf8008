"""What `File` and `Directory` have in common: a handle on bytes that are fetched when they are used."""

from __future__ import annotations

import copy
import os
from abc import abstractmethod
from collections.abc import Callable, Generator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from alula_kernel.contracts import ConversionContext
from alula_kernel.errors import UsageError, ValueConversionError
from alula_kernel.literals import Blob
from alula_kernel.uris import is_uri, name_of, path_of, scheme_of, uri_of

from .async_streams import awaited_in_coroutines, in_thread
from .formats import F, Formatted, normal_format
from .surroundings import current_storage, new_uri

if TYPE_CHECKING:
    from alula_kernel.storage import Storage

H = TypeVar("H", bound="Handle")
LocalPath = str | os.PathLike[str]


class Handle(Formatted[F], os.PathLike[str]):
    """A file or directory that may be somewhere else and is fetched when it is used.

    A handle is in one of four states: a local path that the author gave; a URI that is passed on as it is; a blob that
    was stored; or new, without content and, until `path` is asked for, without a place. Handles are compared by what
    they point to. As they can change, their hash is that of their class: they can be in sets and be keys, and sets of
    thousands are slow. Pickled handles find storage anew where they are loaded.

    Not safe to change from several threads at once.

    Attributes:
        format: Format as declared, as ``csv``; empty for any.
        name: The base name.
        metadata: Free text that travels with the value.
    """

    _directory = False

    def __init__(
        self,
        path: LocalPath,
        downloader: Callable[[], Any] | None = None,
        remote: LocalPath | bool | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        text = os.fspath(path)
        if not isinstance(text, str):
            raise ValueConversionError(f"a path must be text, found {text!r}")
        if not text:
            raise ValueConversionError(f"a {type(self).__name__} cannot have an empty path")
        if remote is True:
            raise UsageError("a remote path is a URI, None to let Alula choose, or False to leave the data where it is")
        self._path = text
        self._source = text if is_uri(text) and scheme_of(text) != "file" else ""
        self._downloader = downloader
        self._remote = remote if remote is None or remote is False else os.fspath(remote)
        self._blob: Blob | None = None
        self._storage: Storage | None = None
        self._local = ""
        self._alt = ""
        self._key = ""
        self._new = False
        self.format = ""
        self.name = name_of(text)
        self.metadata = dict(metadata or {})

    # --- where it is ---

    @classmethod
    def from_blob(cls: type[H], blob: Blob, storage: Storage | None = None) -> H:
        """Make the handle of a stored blob.

        Args:
            blob: The literal.
            storage: Where it is read; the application's if it is not given.
        """
        made = cls(blob.uri, metadata=blob.metadata)
        made._source = blob.uri
        made._blob = blob
        made._storage = storage
        made.format = blob.format
        made.name = blob.name or made.name
        return made

    @classmethod
    def from_source(cls: type[H], source: LocalPath) -> H:
        """Make the handle of something that exists and is passed on without being copied.

        Args:
            source: A URI, or a local path.
        """
        made = cls(source)
        made._source = uri_of(source)
        return made

    @classmethod
    def _reserve(cls: type[H], name: str, *, alt: LocalPath | None = None, uri: str = "") -> H:
        """Make the handle of something new: at a URI, or at a place to be chosen, under a prefix if one is given."""
        made = cls(uri or name)
        made._path = ""
        made._source = uri
        made._alt = uri_of(alt) if alt else ""
        made._new = True
        made.name = name
        return made

    @property
    def path(self) -> str:
        """Where the data is now: a local path if there is one, else the URI.

        It is the path of the copy once `download` was called. Reading it fetches nothing; for a new handle that has
        nothing written to it, it chooses the place, so that other libraries can write there.
        """
        if self._local:
            return self._local
        if not self._source and not self._path:
            self._source = new_uri(self.name, self._alt)
        place = self._source or self._path
        return path_of(place) if is_uri(place) and scheme_of(place) == "file" else place

    @property
    def remote_source(self) -> str | None:
        """The URI that it came from; None for a local path or something new without a place."""
        return self._source or None

    @property
    def remote_path(self) -> str | bool | None:
        """Where the author wants it stored; None for wherever Alula does, False to leave it where it is."""
        return self._remote

    @property
    def hash(self) -> str | None:
        """The content's identity, if it is known; that of a local path is computed when it is stored."""
        return self._key or (self._blob.hash if self._blob is not None else None)

    @property
    def size(self) -> int | None:
        """Bytes, as known without asking any server."""
        return self._blob.size if self._blob is not None else None

    @property
    def blob(self) -> Blob | None:
        """The stored blob that the handle stands for; None for anything that was not stored yet."""
        return self._blob

    def __fspath__(self) -> str:
        return self.download()

    def __str__(self) -> str:
        return self.path if self._path or self._source else self.name

    def __repr__(self) -> str:
        place = self._source or self._path or f"new {self.name}"
        kind = f"{type(self).__name__}[{self.format!r}]" if self.format else type(self).__name__
        return f"{kind}({place!r})"

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        assert isinstance(other, Handle)
        return self is other or (self._identity() == other._identity() and bool(self._source or self._path))

    def __hash__(self) -> int:
        return hash(type(self))  # what it points to changes when it is written

    def _identity(self) -> tuple[Any, ...]:
        place = self._source or (uri_of(self._path) if self._path else "")
        return place, self.name, self.format, self.metadata, self._remote

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_storage": None, "_local": ""}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def __deepcopy__(self: H, memo: dict[int, Any]) -> H:
        made = copy.copy(self)
        made.__dict__["_storage"] = self._storage  # shared: storage has no state of a value
        made.metadata = dict(self.metadata)
        return made

    def bound(self: H, storage: Storage) -> H:
        """Use this storage, if it has none of its own, and return the handle."""
        self._storage = self._storage or storage
        return self

    @property
    def storage(self) -> Storage:
        """Where its blobs are read and written."""
        if self._storage is None:
            self._storage = current_storage()
        return self._storage

    # --- fetching and storing ---

    def __await__(self: H) -> Generator[None, None, H]:
        """Give the handle itself: in Flyte 2, what makes one is awaited, as ``await File.from_local(path)``."""
        yield from ()
        return self

    @abstractmethod
    def download(self, local_path: LocalPath | None = None) -> str:
        """Have the data on this machine and return its path, which may also be awaited."""

    @abstractmethod
    def store(self, context: ConversionContext, format: str = "") -> Blob:
        """Have the data where it stays and return the literal."""

    def download_sync(self, local_path: LocalPath | None = None) -> str:
        """Do what `download` does; the name in Flyte 2."""
        return self.download(local_path)

    async def download_async(self, local_path: LocalPath | None = None) -> str:
        """Do what `download` does, in a thread."""
        return await in_thread(self.download, local_path)

    @awaited_in_coroutines
    def exists(self) -> bool:
        """Tell whether there is anything; asks the server of a URI; awaited in coroutine functions."""
        if self._source:
            return self.storage.exists(self._source)
        return bool(self._path) and os.path.exists(path_of(self._path))

    def exists_sync(self) -> bool:
        """Do what `exists` does without being awaited, in coroutine functions as well."""
        found: bool = self.exists()
        return found

    @property
    def downloaded(self) -> bool:
        """Whether `download` was called, or the handle was used as a path, which does so."""
        return bool(self._local)

    def _materialise(self) -> None:
        """Call the author's downloader, the first time that the data is needed."""
        if self._downloader is not None:
            downloader, self._downloader = self._downloader, None
            downloader()

    @property
    def _local_name(self) -> str:
        """The base name for copies on this machine; names in literals may come from anywhere and must stay inside."""
        name = self.name.replace("\0", "").rstrip("/").rpartition("/")[2]
        return name if name not in {"", ".", ".."} else type(self).__name__.lower()

    def _in_store(self, uri: str) -> bool:
        """Tell whether a URI is one of the storage's own, whose content nobody may change."""
        root = self.storage.root.rstrip("/")
        return uri.startswith(f"{root}/")

    def _stored(self, format: str) -> Blob | None:
        """Return the blob as it came, if nothing was changed; only an undeclared format is filled in."""
        if self._blob is None:
            return None
        declared = self._agree(format)
        blob = self._blob
        if (blob.format, blob.metadata, blob.name or self.name) != (declared, self.metadata, self.name):
            blob = msgspec.structs.replace(blob, format=declared, metadata=dict(self.metadata), name=self.name)
        return blob

    def _agree(self, format: str) -> str:
        """Return the one format that handle and annotation name.

        Raises:
            ValueConversionError: They name different ones.
        """
        declared, own = normal_format(format), normal_format(self.format)
        if declared and own and declared != own:
            raise ValueConversionError(
                f"expected {type(self).__name__}[{declared}], found {self!r} of format {own}",
                hint="Declare the format of what is returned.",
            )
        return declared or own

    @classmethod
    def validate(cls: type[H], value: Any) -> H:
        """Take what JSON or a model may hold for a handle: a handle, a path or URI, or the fields of one.

        Raises:
            ValueError: It is something else.
        """
        if isinstance(value, cls):
            return value
        if isinstance(value, (str, os.PathLike)):
            return cls(value)
        if isinstance(value, Mapping) and isinstance(place := value.get("path") or value.get("uri"), str):
            made = cls(place, metadata=value.get("metadata"))
            made._key = value.get("hash") or ""
            made.format = value.get("format") or ""
            made.name = value.get("name") or made.name
            return made
        raise ValueConversionError(f"expected a {cls.__name__}, a path or a URI, found {value!r}")

    def to_dict(self) -> dict[str, Any]:
        """Describe the handle as plain data, which a model or JSON can hold."""
        place = self._source or self._path or self.path
        fields = {"name": self.name, "format": self.format, "hash": self.hash, "metadata": self.metadata}
        return {"path": place, **{key: value for key, value in fields.items() if value}}

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        """Tell pydantic how to check and dump a field of this class."""
        from pydantic_core import core_schema

        return core_schema.no_info_plain_validator_function(
            cls.validate, serialization=core_schema.plain_serializer_function_ser_schema(lambda value: value.to_dict())
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> dict[str, Any]:
        """Describe a field of this class as JSON Schema."""
        return {"title": cls.__name__, "anyOf": [{"type": "string", "format": "uri"}, {"type": "object"}]}


def absolute(path: str) -> str:
    """Return the absolute local path of a path or ``file`` URI.

    Raises:
        ValueConversionError: There is nothing there.
    """
    found = path_of(path)
    if not os.path.exists(found):
        raise ValueConversionError(f"there is no {found}", hint="Check the path and the working directory.")
    return found
