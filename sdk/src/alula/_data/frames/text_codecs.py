"""CSV and JSON lines: formats that people read, which keep values and lose types.

What was stored by us is read back with the types it had, because the literal says them. Files from elsewhere are read
with types that are guessed from the values. CSV has no lists and structs: it holds their JSON, of which lists of numbers
and text become lists again, and the rest stays text.
"""

from __future__ import annotations

import functools
import io
import itertools
import re
from collections.abc import Iterator, Sequence
from typing import IO, Any

import msgspec

from alula_kernel.errors import ValueConversionError
from alula_kernel.literals import Column

from .codecs import Codec, Place, Selection, arrow

_BLOCK_LINES = 16_384


class CSVCodec(Codec):
    """Comma-separated values with a header line (RFC 4180), in UTF-8. Strings are quoted, nulls are not."""

    format = "csv"
    suffix = "csv"

    def write(self, tables: Iterator[Any], schema: Any, stream: IO[bytes]) -> None:
        """Write the header, and a line for each row.

        Raises:
            ValueConversionError: There are no columns.
        """
        csv = arrow("pyarrow.csv")
        pa = arrow()
        plain = _plain_schema(schema, self.format)
        nested = [index for index, field in enumerate(plain) if pa.types.is_nested(field.type)]
        for index in nested:
            plain = plain.set(index, pa.field(plain.field(index).name, pa.string()))
        with csv.CSVWriter(stream, plain) as writer:
            for table in tables:
                for index in nested:
                    table = table.set_column(index, plain.field(index), _json_texts(table.column(index)))
                writer.write_table(table.cast(plain))

    def read(self, place: Place, selection: Selection) -> Any:
        """Read with several threads."""
        csv = arrow("pyarrow.csv")
        with place.open() as stream:
            found = csv.read_csv(
                stream, parse_options=_parsing(selection), convert_options=self._conversion(place, selection)
            )
        return _typed(found, selection)

    def batches(self, place: Place, selection: Selection, rows: int) -> Iterator[Any]:
        """Read block by block; types that are guessed are guessed from the first one."""
        csv = arrow("pyarrow.csv")
        pa = arrow()
        with place.open() as stream:
            options = self._conversion(place, selection)
            reader = csv.open_csv(stream, parse_options=_parsing(selection), convert_options=options)
            yield _typed(pa.Table.from_batches([], reader.schema), selection).schema
            for batch in reader:
                yield from _typed(pa.Table.from_batches([batch]), selection).to_batches(max_chunksize=rows)

    def _conversion(self, place: Place, selection: Selection) -> Any:
        csv = arrow("pyarrow.csv")
        types = known_types(selection.known)
        if selection.names:
            with place.open() as stream:
                require = csv.open_csv(stream, parse_options=_parsing(selection)).schema
            selection.of(require)
        return csv.ConvertOptions(
            column_types={name: _csv_type(kind) for name, kind in types.items()},
            include_columns=list(selection.names) or None,
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            # What we wrote has nothing for null, and "NA" or "nan" mean themselves.
            **({"null_values": [""]} if selection.known else {}),
        )


class JSONCodec(Codec):
    """JSON lines: an object for each row. Not-a-number and infinities become null, which is all that JSON has for them.

    A file from elsewhere may also be one array of objects.
    """

    format = "json"
    suffix = "jsonl"

    def write(self, tables: Iterator[Any], schema: Any, stream: IO[bytes]) -> None:
        """Write a line for each row.

        Raises:
            ValueConversionError: There are no columns.
        """
        plain = _json_schema(_plain_schema(schema, self.format))
        encoder = msgspec.json.Encoder()
        for table in tables:
            stream.write(encoder.encode_lines(table.cast(plain).to_pylist()))

    def read(self, place: Place, selection: Selection) -> Any:
        """Read with several threads."""
        pa = arrow()
        with place.open() as stream:
            first = stream.read(1)
            while first.isspace():
                first = stream.read(1)
            stream.seek(0)
            if not first:
                return _typed(_empty(selection), selection)
            if first == b"[":
                return _typed(pa.Table.from_pylist(msgspec.json.decode(stream.read())), selection)
            options = _json_options(selection)
            return _typed(arrow("pyarrow.json").read_json(stream, parse_options=options), selection)

    def batches(self, place: Place, selection: Selection, rows: int) -> Iterator[Any]:
        """Read some lines at a time; types that are guessed are guessed from the first ones."""
        pa = arrow()
        with place.open() as stream:
            schema = None
            while lines := b"".join(itertools.islice(stream, min(rows, _BLOCK_LINES))):
                if schema is None and lines.lstrip().startswith(b"["):
                    stream.seek(0)
                    table = _typed(pa.Table.from_pylist(msgspec.json.decode(stream.read())), selection)
                    yield table.schema
                    yield from table.to_batches(max_chunksize=rows)
                    return
                options = _json_options(selection) if schema is None else _same_schema(schema)
                found = arrow("pyarrow.json").read_json(io.BytesIO(lines), parse_options=options)
                table = _typed(found, selection)
                if schema is None:
                    schema = found.schema
                    yield table.schema
                yield from table.to_batches(max_chunksize=rows)
            if schema is None:
                yield _typed(_empty(selection), selection).schema


def _plain_schema(schema: Any, format: str) -> Any:
    """Return the schema with dictionaries replaced by what is in them.

    Raises:
        ValueConversionError: It has no fields, so that there would be no lines for its rows.
    """
    if not len(schema):
        raise ValueConversionError(
            f"a data frame without columns cannot be stored as {format}", hint="Store it as parquet or arrow."
        )
    pa = arrow()
    fields = [
        pa.field(field.name, field.type.value_type) if pa.types.is_dictionary(field.type) else field.remove_metadata()
        for field in schema
    ]
    return pa.schema(fields)


def _json_schema(schema: Any) -> Any:
    """Return the schema with times replaced by the text, and durations by the number, that JSON holds for them."""
    pa = arrow()
    types = pa.types

    def plain(kind: Any) -> Any:
        if types.is_timestamp(kind) or types.is_date(kind) or types.is_time(kind) or types.is_decimal(kind):
            return pa.string()
        return pa.int64() if types.is_duration(kind) else kind

    return pa.schema([pa.field(field.name, plain(field.type)) for field in schema])


def _parsing(selection: Selection) -> Any:
    # In a file of one column that we wrote, an empty line is a null.
    skip = len(selection.known) != 1
    return arrow("pyarrow.csv").ParseOptions(newlines_in_values=True, ignore_empty_lines=skip)


def _csv_type(kind: Any) -> Any:
    """Return the type that a CSV column is parsed as, from which it is cast to the one that it had."""
    pa = arrow()
    if pa.types.is_nested(kind):
        return pa.string()
    return pa.int64() if pa.types.is_duration(kind) else kind


def _json_texts(column: Any) -> Any:
    """Return values as JSON; null stays null."""
    encode = msgspec.json.Encoder().encode
    return arrow().array([None if v is None else encode(v).decode() for v in column.to_pylist()], arrow().string())


def _from_json_texts(column: Any, kind: Any) -> Any:
    """Return what `_json_texts` was given."""
    decode = msgspec.json.Decoder().decode
    return arrow().array([None if text is None else decode(text) for text in column.to_pylist()], kind)


def _json_options(selection: Selection) -> Any:
    """Ask for the columns that are known, as JSON holds them."""
    types = known_types(selection.known)
    pa = arrow()
    if not types or len(types) < len(selection.known):
        return arrow("pyarrow.json").ParseOptions()
    schema = _json_schema(pa.schema([pa.field(name, kind) for name, kind in types.items()]))
    return _same_schema(schema)


def _same_schema(schema: Any) -> Any:
    return arrow("pyarrow.json").ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore")


def _empty(selection: Selection) -> Any:
    pa = arrow()
    types = known_types(selection.known)
    return pa.schema([pa.field(name, kind) for name, kind in types.items()]).empty_table()


def _typed(table: Any, selection: Selection) -> Any:
    """Select columns, and give those whose types are known the types that they had."""
    pa = arrow()
    types = known_types(selection.known)
    found = table.select(selection.of(table.schema))
    for index, field in enumerate(found.schema):
        kind = types.get(field.name)
        if kind is not None and kind != field.type:
            column = found.column(index)
            is_json = pa.types.is_nested(kind) and pa.types.is_string(field.type)
            found = found.set_column(
                index, field.name, _from_json_texts(column, kind) if is_json else column.cast(kind)
            )
    return found


def known_types(columns: Sequence[Column]) -> dict[str, Any]:
    """Return the Arrow types of columns whose types have a name that can be read back; structs and maps are left out."""
    found = ((column.name, arrow_type(column.type)) for column in columns)
    return {name: kind for name, kind in found if kind is not None}


@functools.lru_cache(maxsize=512)
def arrow_type(text: str) -> Any:
    """Return the Arrow type that a text names, or None if it is not known, or nested and no list of JSON's own values."""
    pa = arrow()
    if match := re.fullmatch(r"timestamp\[(\w+), tz=(.+)\]", text):
        return pa.timestamp(match[1], match[2])
    if match := re.fullmatch(r"decimal(128|256)\((\d+), (-?\d+)\)", text):
        return getattr(pa, f"decimal{match[1]}")(int(match[2]), int(match[3]))
    if match := re.match(r"dictionary<values=([^,]+), ", text):
        return arrow_type(match[1])
    if match := re.fullmatch(r"(large_)?list<(?:item|element): (.+?)(?: not null)?>", text):
        item = arrow_type(match[2])
        return None if item is None or not _is_of_json(item) else (pa.large_list if match[1] else pa.list_)(item)
    try:
        return pa.type_for_alias(text)
    except ValueError:
        return None


def _is_of_json(kind: Any) -> bool:
    types = arrow().types
    plain = (types.is_string, types.is_large_string, types.is_integer, types.is_floating, types.is_boolean)
    return types.is_nested(kind) or any(test(kind) for test in plain)
