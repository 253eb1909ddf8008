"""URIs of blobs: what is one, which scheme it has, and how local paths and names become part of one.

A ``file`` URI is percent-encoded as RFC 3986 (Berners-Lee, Fielding and Masinter, 2005) and RFC 8089 (Kerwin, 2017) ask.
URIs of object stores follow fsspec: the text after the bucket is the key itself, without any encoding. A chained URL
(``zip://inner.csv::s3://bucket/archive.zip``) is one URI whose scheme is the first of the chain.
"""

from __future__ import annotations

import os
import re

from .errors import StorageError

_URI = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.\-]+::)*[A-Za-z][A-Za-z0-9+.\-]+://|file:/", re.IGNORECASE)
_PLAIN_PATH = re.compile(r"[A-Za-z0-9/._~\-]+")
_PATH_SAFE = "/!$&'()*+,;=:@"
_USER_INFO = re.compile(r"(?<=://)[^/@\s]*@")
_QUERY = re.compile(r"(?<=\S)\?[^\s'\"<>)]*=[^\s'\"<>)]*")
_ENCODED_SCHEMES = frozenset({"file", "http", "https"})


def is_uri(text: str) -> bool:
    """Tell whether a text is a URI; every other text is a local path."""
    return _URI.match(text) is not None


def scheme_of(uri: str) -> str:
    """Return the scheme in lower case; ``file`` for a local path."""
    return uri.partition(":")[0].lower() if is_uri(uri) else "file"


def uri_of(path_or_uri: str | os.PathLike[str]) -> str:
    """Return the absolute ``file`` URI of a local path; a URI stays as it is.

    Args:
        path_or_uri: A path, in which a leading ``~`` is expanded, or a URI.

    Raises:
        StorageError: The text is empty or contains a null character.
    """
    text = os.fspath(path_or_uri)
    if is_uri(text):
        return text
    return f"file://{_quote(_absolute(text))}"


def path_of(path_or_uri: str | os.PathLike[str]) -> str:
    """Return the absolute local path of a ``file`` URI or of a local path.

    Raises:
        StorageError: The URI names another machine or another scheme, is empty, or contains a null character.
    """
    text = os.fspath(path_or_uri)
    if not is_uri(text):
        return _absolute(text)
    scheme, _, rest = text.partition(":")
    if scheme.lower() != "file":
        raise StorageError(f"{shown(text)} is not a local file", hint="Give a path or a URI that begins with file:///.")
    if rest.startswith("//"):
        host, _, rest = rest[2:].partition("/")
        if host not in {"", "localhost"}:
            raise StorageError(
                f"{shown(text)} names a file on the machine {host!r}",
                hint=f"The path in a file URI is absolute: file:///{host}/... has three slashes.",
            )
    path = f"/{rest.lstrip('/')}"
    if "%" in path:
        from urllib.parse import unquote_to_bytes

        path = os.fsdecode(unquote_to_bytes(path.encode("utf-8", "surrogateescape")))
    return _without_null(path)


def chain_of(uri: str) -> list[str]:
    """Split a chained URL into its links; a ``::`` inside a key does not make a chain."""
    links = uri.split("::")
    if "://" in links[-1] and all("://" in link or link.isalnum() for link in links):
        return links
    return [uri]


def child_uri(uri: str, relative: str) -> str:
    """Return the URI of an object below a prefix.

    Args:
        uri: The prefix, with or without a slash at its end.
        relative: Name below the prefix, not encoded, with ``/`` between its parts.
    """
    before, base, after = _link_with_path(uri)
    quoted = _quote(relative) if scheme_of(base) in _ENCODED_SCHEMES else relative
    separator = "" if base.endswith("/") else "/"
    return f"{before}{base}{separator}{quoted}{after}"


def name_below(uri: str, prefix: str) -> str:
    """Return the name of an object below a prefix: the inverse of `child_uri`."""
    link, base = _link_with_path(uri)[1], _link_with_path(prefix)[1]
    name = link.removeprefix(base).removeprefix("/")
    if scheme_of(link) in _ENCODED_SCHEMES and "%" in name:
        from urllib.parse import unquote_to_bytes

        name = os.fsdecode(unquote_to_bytes(name))
    return name


def prefix_of(uri: str) -> str:
    """Return the URI without slashes at its end; those behind the scheme stay."""
    head, separator, tail = uri.rpartition("://")
    return f"{head}{separator}{tail.rstrip('/')}" if separator else uri.rstrip("/")


def name_of(path_or_uri: str | os.PathLike[str]) -> str:
    """Return the base name, decoded, as text that can be encoded as UTF-8; empty if there is none."""
    text = os.fspath(path_or_uri)
    if scheme_of(text) == "file":
        name = os.path.basename(path_of(text))
    else:
        first = _link_with_path(text)[1]
        name = first.partition("://")[2].rstrip("/").rpartition("/")[2]
        if scheme_of(first) in _ENCODED_SCHEMES:
            from urllib.parse import unquote

            name = unquote(name.partition("?")[0].partition("#")[0])
    return os.fsencode(name).decode("utf-8", "replace")


def shown(text: str) -> str:
    """Return a URI, or a text with URIs in it, as it may be shown: without passwords and without queries.

    Queries are left out because that is where signed URLs keep their signature.
    """
    return _QUERY.sub("?...", _USER_INFO.sub("***@", text))


def _link_with_path(uri: str) -> tuple[str, str, str]:
    """Split a URI around the link of its chain that has the path.

    It is the first link with a path: the last one in ``simplecache::s3://...``, the first one in ``zip://...::s3://...``.
    """
    links = chain_of(uri)
    index = next((i for i, link in enumerate(links) if "://" in link), 0)
    before, after = links[:index], links[index + 1 :]
    return "".join(f"{link}::" for link in before), links[index], "".join(f"::{link}" for link in after)


def _absolute(path: str) -> str:
    if not path:
        raise StorageError("an empty path was given", hint="Give a path or a URI.")
    expanded = os.path.expanduser(path) if path[0] == "~" else path
    absolute = os.path.abspath(expanded)
    return _without_null(f"/{absolute.lstrip('/')}")


def _without_null(path: str) -> str:
    if "\0" in path:
        raise StorageError(f"the path {path!r} contains a null character", hint="Give a path without it.")
    return path


def _quote(path: str) -> str:
    if _PLAIN_PATH.fullmatch(path):
        return path
    from urllib.parse import quote_from_bytes

    return quote_from_bytes(os.fsencode(path), _PATH_SAFE)
