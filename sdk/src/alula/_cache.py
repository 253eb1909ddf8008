"""Cache settings as users write them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, Protocol, runtime_checkable

import msgspec
from msgspec.structs import force_setattr

from alula_kernel.errors import UnknownNameError, UsageError
from alula_kernel.specs import CacheSpec

_BEHAVIOURS = {
    "auto": "auto",
    "enable": "auto",
    "on": "auto",
    "true": "auto",
    "yes": "auto",
    "override": "override",
    "disable": "disable",
    "off": "disable",
    "false": "disable",
    "no": "disable",
    "none": "disable",
}


class VersionParameters(msgspec.Struct, frozen=True):
    """What a cache policy may look at.

    Attributes:
        func: The task's function; None for a task without one.
        container_image: The task's image, if it has one.
        pod_template: The task's pod template, if it has one.
        pod_template_name: The name of its pod template, if it has one.
        source: What a task without a function runs, as its query; empty for one with a function.
    """

    func: Callable[..., Any] | None
    container_image: Any = None
    pod_template: Any = None
    pod_template_name: str | None = None
    source: str = ""


@runtime_checkable
class CachePolicy(Protocol):
    """Computes a part of a cache version."""

    def get_version(self, salt: str, params: VersionParameters) -> str:
        """Return a text that changes whenever cached outputs must not be used any more."""
        ...


class FunctionBodyPolicy:
    """The default policy: the code of the function, and of what it calls in its own package.

    Comments, docstrings, decorators and formatting do not count.
    """

    def get_version(self, salt: str, params: VersionParameters) -> str:
        """Return the SHA-256 of the code, salted."""
        import hashlib

        from ._code_hash import code_hash

        code = code_hash(params.func) if params.func is not None else params.source
        return hashlib.sha256(f"{salt}\0{code}".encode()).hexdigest()


class Cache(msgspec.Struct, frozen=True):
    """How the outputs of a task are cached.

    Args:
        behavior: ``"auto"`` (the version follows from the policies), ``"override"`` (the version is given), ``"disable"``;
            or, as the first argument alone, a version.
        version_override: The version of ``"override"``.
        serialize: Whether equal actions wait for the first of them instead of computing at the same time.
        ignored_inputs: Inputs that do not count.
        salt: Mixed into the version of ``"auto"``.
        policies: What the version of ``"auto"`` is made from; `FunctionBodyPolicy` if none is given.
        version: The version; the same as ``version_override``.

    Raises:
        UsageError: ``"override"`` without a version.
    """

    behavior: str = "auto"
    version_override: str | None = None
    serialize: bool = False
    ignored_inputs: tuple[str, ...] | str = ()
    salt: str = ""
    policies: Sequence[CachePolicy] | CachePolicy | None = None
    version: str | None = None

    def __post_init__(self) -> None:
        behaviour = _BEHAVIOURS.get(self.behavior.lower())
        version = self.version if self.version is not None else self.version_override
        if behaviour is None:
            behaviour, version = "override", self.behavior
        elif version is not None and behaviour == "auto":
            behaviour = "override"
        if behaviour == "override" and not (version or "").strip():
            raise UsageError(
                "a cache version was expected and is empty", hint='Use Cache("auto") or Cache(version="1").'
            )
        force_setattr(self, "behavior", behaviour)
        force_setattr(self, "version", version)
        force_setattr(self, "version_override", version)
        if isinstance(self.ignored_inputs, str):
            force_setattr(self, "ignored_inputs", (self.ignored_inputs,))

    def get_version(self, params: VersionParameters) -> str:
        """Return the version for a task."""
        if self.version is not None:
            return self.version.strip()
        policies = self.policies or FunctionBodyPolicy()
        chosen = policies if isinstance(policies, Sequence) else [policies]
        import hashlib

        parts = [policy.get_version(self.salt, params) for policy in chosen]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


CacheRequest = bool | str | Cache | None


def as_cache(
    request: CacheRequest,
    *,
    version: str = "",
    serialize: bool = False,
    ignored_inputs: Sequence[str] | str = (),
    where: str = "",
) -> Cache | None:
    """Bring every way to ask for caching into one; None is no caching.

    Raises:
        UsageError: `Cache` is mixed with the single settings, or settings are given without caching.
    """
    singles = bool(version or serialize or ignored_inputs)
    if isinstance(request, Cache):
        if singles:
            raise UsageError(f"{where}: cache=Cache(...) cannot be mixed with cache_version and its like")
        return None if request.behavior == "disable" else request
    ignored = (ignored_inputs,) if isinstance(ignored_inputs, str) else tuple(ignored_inputs)
    if isinstance(request, str):
        made = Cache(request, serialize=serialize, ignored_inputs=ignored)
        return None if made.behavior == "disable" else made
    if not request:
        if singles:
            raise UsageError(f"{where}: cache_version and its like need cache=True")
        return None
    if version:
        return Cache(version=version, serialize=serialize, ignored_inputs=ignored)
    return Cache("auto", serialize=serialize, ignored_inputs=ignored)


def cache_spec(
    function: Callable[..., Any] | None,
    request: CacheRequest,
    *,
    version: str = "",
    serialize: bool = False,
    ignored_inputs: Sequence[str] | str = (),
    where: str = "",
    image: Any = None,
    source: str = "",
) -> CacheSpec | None:
    """Return the spec of a task's cache settings; None if it is not cached."""
    cache = as_cache(request, version=version, serialize=serialize, ignored_inputs=ignored_inputs, where=where)
    if cache is None:
        return None
    return CacheSpec(
        version=cache.get_version(VersionParameters(function, container_image=image, source=source)),
        serialize=cache.serialize,
        ignored_inputs=tuple(cache.ignored_inputs),
    )


def check_ignored_inputs(cache: Cache | CacheSpec | None, inputs: Collection[str]) -> None:
    """Refuse ignored inputs that the task does not have.

    Raises:
        UnknownNameError: There is no such input.
    """
    for name in cache.ignored_inputs if cache is not None else ():
        if name not in inputs:
            raise UnknownNameError.among("ignored cache input", name, inputs)
