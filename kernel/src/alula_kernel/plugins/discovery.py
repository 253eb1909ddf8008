"""Listing the installed plugins without importing them.

A plugin is an entry point in the group ``alula``. Reading the metadata of every installed distribution takes tens of
milliseconds, so the answer is kept in a JSON file, one record for each folder of ``sys.path`` together with the folder's
modification time: installing, upgrading or removing a distribution adds or renames a folder there and so changes it.
With a fresh file, discovery is one read and one ``stat`` per folder. A folder that changed is read again alone, so a
working directory that changes all the time does not cost a scan of ``site-packages``, and environments can share a file.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import time
from collections.abc import Iterable, Iterator, Sequence

import msgspec

GROUP = "alula"
"""The entry-point group."""

_CACHE_FORMAT = 1
_MOST_FOLDERS = 200
_SETTLED_NS = 1_000_000_000
"""A folder that changed less than this before it was read may change again within the same tick of its clock."""

_logger = logging.getLogger("alula.plugins")


class PluginProblem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why a plugin, or something that it registers, is left out.

    Attributes:
        name: Name of the plugin: of its entry point, or of the built-in provider.
        distribution: The distribution that brings it; empty if that is not known.
        version: Version of the distribution; empty if that is not known.
        message: What is wrong.
        hint: The next step, as a sentence.
    """

    name: str
    distribution: str = ""
    version: str = ""
    message: str
    hint: str = ""

    def __str__(self) -> str:
        origin = f" ({self.distribution} {self.version})".replace(" )", ")") if self.distribution else ""
        text = f"plugin {self.name!r}{origin}: {self.message}"
        return f"{text}\n  {self.hint}" if self.hint else text


class FoundPlugin(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An entry point in the group ``alula``.

    Attributes:
        name: Name of the entry point.
        module: Module that it points to.
        attribute: Object inside the module, with dots; empty for the module itself.
        distribution: The distribution that brings it, normalised as on a package index.
        version: Version of the distribution.
        hooks: The hooks that it implements, learned when it was last imported; None if that is not known.
        sources: The files that `hooks` was learned from, with their modification times in nanoseconds.
    """

    name: str
    module: str
    attribute: str = ""
    distribution: str = ""
    version: str = ""
    hooks: tuple[str, ...] | None = None
    sources: dict[str, int] = {}

    def may_implement(self, hook: str) -> bool:
        """Tell whether the plugin must be imported to call a hook: if it implements the hook or has changed since."""
        if self.hooks is None or hook in self.hooks:
            return True
        return any(modified_ns(path) != known for path, known in self.sources.items())


class _Folder(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one entry of ``sys.path`` holds."""

    modified_ns: int
    plugins: tuple[FoundPlugin, ...] = ()
    problems: tuple[PluginProblem, ...] = ()


class _CacheFile(msgspec.Struct, omit_defaults=True):
    format: int
    folders: dict[str, _Folder] = {}


class Discovery(msgspec.Struct):
    """The installed plugins, in the order of ``sys.path``.

    Attributes:
        plugins: The plugins, one for each name.
        problems: Entry points that cannot be read or whose name is taken.
    """

    plugins: tuple[FoundPlugin, ...] = ()
    problems: tuple[PluginProblem, ...] = ()


def modified_ns(path: str) -> int | None:
    """Return the modification time of a file or folder in nanoseconds, or None if it does not exist."""
    try:
        return os.stat(path).st_mtime_ns
    except (OSError, ValueError):
        return None


def discover(path: Sequence[str], cache_file: str | os.PathLike[str] | None = None) -> Discovery:
    """List the plugins on a module search path.

    Args:
        path: Entries as in ``sys.path``; the empty string is the working directory.
        cache_file: File in which the answer is kept; None to read the metadata every time. It is made if it does not
            exist; one that is damaged or cannot be written does no harm.

    Returns:
        The plugins, not imported, and what is wrong with others.
    """
    known = _read_cache(cache_file)
    folders: dict[str, _Folder] = {}
    changed = False
    for entry in dict.fromkeys(os.path.abspath(entry) for entry in path):
        modified = modified_ns(entry)
        if modified is None:
            continue
        folder = known.get(entry)
        if folder is None or folder.modified_ns != modified:
            folder = _scan(entry, modified)
            if time.time_ns() - modified > _SETTLED_NS:
                known[entry] = folder
                changed = True
        folders[entry] = folder
    if changed and cache_file is not None:
        _write_cache(cache_file, known)
    return _merge(folders.values())


def remember_hooks(learned: Iterable[FoundPlugin], path: Sequence[str], cache_file: str | os.PathLike[str]) -> None:
    """Keep which hooks plugins implement, so that they need not be imported for other hooks.

    Args:
        learned: The plugins with their `hooks` and `sources`.
        path: Entries as in ``sys.path``.
        cache_file: File that `discover` wrote; plugins that are not in it are left out.
    """
    by_identity = {_identity(plugin): plugin for plugin in learned}
    known = _read_cache(cache_file)
    changed = False
    for entry in {os.path.abspath(entry) for entry in path} & known.keys():
        folder = known[entry]
        plugins = tuple(by_identity.get(_identity(plugin), plugin) for plugin in folder.plugins)
        if plugins != folder.plugins:
            known[entry] = msgspec.structs.replace(folder, plugins=plugins)
            changed = True
    if changed:
        _write_cache(cache_file, known)


def _identity(plugin: FoundPlugin) -> tuple[str, ...]:
    return plugin.name, plugin.module, plugin.attribute, plugin.distribution, plugin.version


def _merge(folders: Iterable[_Folder]) -> Discovery:
    """Put folders together: a distribution found earlier hides the same one found later, and names are unique."""
    plugins: dict[str, FoundPlugin] = {}
    problems: list[PluginProblem] = []
    owner: dict[str, int] = {}
    for index, folder in enumerate(folders):
        problems.extend(folder.problems)
        for plugin in folder.plugins:
            if owner.setdefault(plugin.distribution, index) != index:
                continue
            first = plugins.setdefault(plugin.name, plugin)
            if first is not plugin:
                problems.append(
                    PluginProblem(
                        name=plugin.name,
                        distribution=plugin.distribution,
                        version=plugin.version,
                        message=f"its name is taken by {first.distribution} {first.version}, which is used",
                        hint=f"Uninstall {first.distribution} or {plugin.distribution}.",
                    )
                )
    return Discovery(tuple(plugins.values()), tuple(problems))


# --- reading metadata ------------------------------------------------------------------------------------------------


def _scan(entry: str, modified: int) -> _Folder:
    plugins: list[FoundPlugin] = []
    problems: list[PluginProblem] = []
    seen: set[str] = set()
    for label, text in _metadata_files(entry):
        distribution, version = _distribution(label)
        if distribution in seen or not re.search(rf"^\s*\[\s*{GROUP}\s*\]", text, re.MULTILINE):
            continue
        seen.add(distribution)
        try:
            plugins.extend(_parse(text, distribution, version))
        except ValueError as error:
            problems.append(
                PluginProblem(
                    name=distribution,
                    distribution=distribution,
                    version=version,
                    message=f"its entry points cannot be read: {error}",
                    hint="Reinstall it, or tell its author.",
                )
            )
    return _Folder(modified, tuple(plugins), tuple(problems))


def _metadata_files(entry: str) -> Iterator[tuple[str, str]]:
    """Yield ``(name-version, text)`` of every file of entry points in a folder, egg or zip file, sorted by name."""
    if not os.path.isdir(entry):
        if entry.endswith((".egg", ".zip", ".whl", ".pyz")):
            yield from _zipped_metadata_files(entry)
        return
    if entry.endswith(".egg"):
        yield from _one_file(os.path.basename(entry)[: -len(".egg")], os.path.join(entry, "EGG-INFO"))
        return
    try:
        names = sorted(os.listdir(entry))
    except OSError as error:
        _logger.debug("cannot list %s: %s", entry, error)
        return
    for name in names:
        # pip renames what it is about to remove to a name that begins with a tilde.
        if name.endswith((".dist-info", ".egg-info")) and not name.startswith("~"):
            yield from _one_file(os.path.splitext(name)[0], os.path.join(entry, name))


def _one_file(label: str, folder: str) -> Iterator[tuple[str, str]]:
    try:
        with open(os.path.join(folder, "entry_points.txt"), encoding="utf-8") as file:
            yield label, file.read()
    except (OSError, UnicodeDecodeError):
        return


def _zipped_metadata_files(entry: str) -> Iterator[tuple[str, str]]:
    import zipfile

    try:
        with zipfile.ZipFile(entry) as archive:
            for name in sorted(archive.namelist()):
                match = re.fullmatch(r"(?:(?P<label>[^/]+)\.(?:dist|egg)-info|EGG-INFO)/entry_points\.txt", name)
                if match:
                    label = match["label"] or os.path.splitext(os.path.basename(entry))[0]
                    yield label, archive.read(name).decode()
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        _logger.debug("cannot read %s: %s", entry, error)


def _distribution(label: str) -> tuple[str, str]:
    """Split ``alula_duckdb-0.1.0`` into the normalised name and the version."""
    name, _, version = label.partition("-")
    version = re.sub(r"-py\d[\d.]*$", "", version)
    return re.sub(r"[-_.]+", "-", name).lower(), version


def _parse(text: str, distribution: str, version: str) -> Iterator[FoundPlugin]:
    """Read the entry points of one distribution.

    Raises:
        ValueError: The text is not a file of entry points.
    """
    import configparser

    import entrypoints

    parser = entrypoints.CaseSensitiveConfigParser(delimiters=("=",))
    try:
        parser.read_string(text)
        items = parser.items(GROUP, raw=True)
    except configparser.Error as error:
        raise ValueError(str(error).replace("\n", " ")) from error
    for name, value in items:
        try:
            point = entrypoints.EntryPoint.from_string(value, name)
        except entrypoints.BadEntryPoint as error:
            raise ValueError(f"{name} = {value} does not name a module") from error
        yield FoundPlugin(
            name=point.name,
            module=point.module_name,
            attribute=point.object_name or "",
            distribution=distribution,
            version=version,
        )


# --- the cache file --------------------------------------------------------------------------------------------------


def _read_cache(cache_file: str | os.PathLike[str] | None) -> dict[str, _Folder]:
    if cache_file is None:
        return {}
    try:
        with open(cache_file, "rb") as file:
            content = msgspec.json.decode(file.read(), type=_CacheFile)
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        _logger.debug("ignoring %s: %s", cache_file, error)
        return {}
    return content.folders if content.format == _CACHE_FORMAT else {}


def _write_cache(cache_file: str | os.PathLike[str], folders: dict[str, _Folder]) -> None:
    """Replace the cache file at once; what cannot be written is worked out again next time."""
    kept = {entry: folder for entry, folder in folders.items() if modified_ns(entry) is not None}
    newest = dict(list(kept.items())[-_MOST_FOLDERS:])
    temporary = f"{os.fspath(cache_file)}.{os.getpid()}-{time.monotonic_ns()}"
    try:
        os.makedirs(os.path.dirname(os.path.abspath(cache_file)), exist_ok=True)
        with open(temporary, "wb") as file:
            file.write(msgspec.json.encode(_CacheFile(_CACHE_FORMAT, newest)))
        os.replace(temporary, cache_file)
    except OSError as error:
        _logger.debug("cannot write %s: %s", cache_file, error)
        with contextlib.suppress(OSError):
            os.unlink(temporary)
