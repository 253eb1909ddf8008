"""Input values from the command line: text, ``@file`` values, and files of inputs."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from alula_kernel.errors import UnknownNameError, UsageError, ValueConversionError
from alula_kernel.types import BYTES, NONE, STR, BlobOf, DatasetOf, LiteralType, Opaque, UnionOf

if TYPE_CHECKING:
    from alula_kernel.contracts import Converter

    from .._interface import CompiledInterface

_YAML_SUFFIXES = {".yaml", ".yml"}


def value_from_text(text: str, option: str, converter: Converter[Any], compiled: CompiledInterface) -> Any:
    """Make an input's value from what stands behind its option.

    Args:
        text: The text. ``@path`` stands for what is in a file, ``@-`` for what comes on stdin, ``@@`` for a plain ``@``.
        option: The option, for messages.
        converter: Converter of the input.
        compiled: The interface that the input belongs to.

    Raises:
        UsageError: The text does not describe a value of the input's type, or the file cannot be read.
    """
    if text.startswith("@@"):
        return _converted(option, lambda: converter.from_text(text[1:], compiled.context))
    if text.startswith("@"):
        return _converted(option, lambda: _value_from_file(text[1:], converter, compiled))
    return _converted(option, lambda: _from_text(text, converter, compiled))


def values_from_file(source: str, compiled: CompiledInterface) -> dict[str, Any]:
    """Make input values from a JSON or YAML file that names them.

    Args:
        source: Path of the file; ``-`` for stdin.
        compiled: The interface that the inputs belong to.

    Raises:
        UsageError: The file cannot be read, is no map, names an unknown input, or a value is not of its input's type.
    """
    what = _named(source)
    data = _parsed(_read_text(source), source, "--inputs-file")
    if not isinstance(data, Mapping):
        raise UsageError(
            f"expected a map of input names to values, found {type(data).__name__}",
            hint='Write {"epochs": 5} as JSON, or epochs: 5 as YAML.',
            location=what,
        )
    values = {}
    for name, item in data.items():
        if not isinstance(name, str):
            raise UsageError(
                f"expected the name of an input, found {name!r}",
                hint="Put the name in quotes: in YAML, on, off, yes and no are true and false.",
                location=what,
            )
        if name not in compiled.inputs:
            raise UnknownNameError.among("input", name, compiled.inputs, location=what)
        converter = compiled.inputs[name]
        try:
            values[name] = converter.from_plain(item, compiled.context)
        except ValueConversionError as problem:
            inner = problem.within(name)
            raise type(problem)(inner.message, hint=inner.hint, location=f"{what}: {inner.location}") from None
    return values


def _named(source: str) -> str:
    return "the standard input" if source == "-" else source


def _converted(option: str, convert: Callable[[], Any]) -> Any:
    try:
        return convert()
    except ValueConversionError as problem:
        raise problem.within(option) from None
    except UsageError as problem:
        if problem.location:
            raise
        raise type(problem)(problem.message, hint=problem.hint, location=option) from None


def _from_text(text: str, converter: Converter[Any], compiled: CompiledInterface) -> Any:
    """Make a value from text. What is at a URI must be there now, and not only when a task reads it."""
    value = converter.from_text(text, compiled.context)
    wanted = _without_none(converter.literal_type)
    if not isinstance(wanted, (BlobOf, DatasetOf)):
        return value
    from alula_kernel.uris import is_uri

    if is_uri(text):
        there = compiled.context.storage.exists(text)
        # Not every protocol can tell whether a folder exists.
        if not there and not (isinstance(wanted, BlobOf) and wanted.directory):
            raise ValueConversionError(f"there is nothing at {text}")
    return value


def _value_from_file(source: str, converter: Converter[Any], compiled: CompiledInterface) -> Any:
    """Read a value from a file, in the way that its type asks for."""
    wanted = _without_none(converter.literal_type)
    if isinstance(wanted, (BlobOf, DatasetOf, Opaque)) and source != "-":
        return _from_text(source, converter, compiled)  # the file itself is the value
    if wanted == BYTES:
        from alula_kernel.literals import Bytes

        return converter.to_python(Bytes(_read_bytes(source)), compiled.context)
    text = _read_text(source)
    suffix = os.path.splitext(source)[1].lower()
    if wanted == STR:
        return converter.from_text(text, compiled.context)
    if suffix == ".json" or suffix in _YAML_SUFFIXES:
        return converter.from_plain(_parsed(text, source, ""), compiled.context)
    return converter.from_text(text.strip(), compiled.context)


def _without_none(literal_type: LiteralType) -> LiteralType:
    """Return what an optional type is besides None."""
    if isinstance(literal_type, UnionOf):
        others = [variant for variant in literal_type.variants if variant != NONE]
        if len(others) == 1:
            return others[0]
    return literal_type


def _read_bytes(source: str) -> bytes:
    if source == "-":
        return sys.stdin.buffer.read()
    try:
        with open(os.path.expanduser(source), "rb") as file:
            return file.read()
    except OSError as problem:
        reason = problem.strerror or str(problem)
        hint = f"A text that begins with @ is written @@: @@{source}" if isinstance(problem, FileNotFoundError) else ""
        raise UsageError(f"cannot read the file {source!r}: {reason}", hint=hint) from None


def _read_text(source: str) -> str:
    data = _read_bytes(source)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise UsageError(
            f"{_named(source)} is not UTF-8 text (byte {problem.start:,} is {data[problem.start]:#04x})"
        ) from None


def _parsed(text: str, source: str, location: str) -> Any:
    """Parse JSON or YAML, by the suffix of the file; without a suffix, whatever it is."""
    if os.path.splitext(source)[1].lower() in _YAML_SUFFIXES:
        return _parsed_yaml(text, source, location)
    import json

    try:
        return json.loads(text)
    except RecursionError:
        raise UsageError(f"{_named(source)} is nested too deeply", location=location) from None
    except ValueError as problem:
        if source == "-" or not source.endswith(".json"):
            return _parsed_yaml(text, source, location)
        raise UsageError(f"{_named(source)} is not valid JSON: {problem}", location=location) from None


def _parsed_yaml(text: str, source: str, location: str) -> Any:
    import yaml

    try:
        return yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - both loaders are safe ones
    except RecursionError:
        raise UsageError(f"{_named(source)} is nested too deeply", location=location) from None
    except (yaml.YAMLError, ValueError) as problem:  # an impossible date is a ValueError
        reason = " ".join(str(problem).split())
        raise UsageError(f"{_named(source)} is neither valid JSON nor YAML: {reason}", location=location) from None


def pairs(texts: tuple[str, ...], option: str) -> dict[str, str]:
    """Read repeated ``KEY=VALUE`` options.

    Raises:
        UsageError: One has no ``=``, or an empty key.
    """
    found = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise UsageError(f"expected KEY=VALUE, found {text!r}", location=option)
        found[key] = value
    return found
