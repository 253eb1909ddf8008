"""Cache keys: what must be equal for outputs to be reused, and why a key found nothing.

The digest is SHA-256 over msgpack of ``[project, domain, task, cache version, interface fingerprint, [[input, content
hash], ...]]``, inputs sorted by name. The version of the task itself, descriptions, defaults and ignored inputs do not
count.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import NamedTuple

import msgspec

from .contracts import CacheKey
from .errors import CompileError, EngineError
from .literals import Literal, identity_bytes
from .specs import TaskSpec

_encode = msgspec.msgpack.Encoder().encode


class _TaskPart(NamedTuple):
    """What a key takes from its task; kept while the task lives."""

    task: weakref.ref[TaskSpec]
    name: str
    version: str
    interface: str
    ignored: frozenset[str]


# A memo and nothing else: by identity, because a spec holds dictionaries and cannot be hashed. An entry is dropped when
# its task is, before another object can have the same id.
_parts: dict[int, _TaskPart] = {}


def cache_key(task: TaskSpec, inputs: Mapping[str, Literal], *, project: str, domain: str) -> CacheKey:
    """Compute the key of a task's outputs for some inputs.

    Args:
        task: A task with cache settings.
        inputs: All of its inputs, in any order.
        project: Project of the run.
        domain: Domain of the run.

    Raises:
        CompileError: The cache version is empty.
        EngineError: The task is not cached.
    """
    part = _parts.get(id(task))
    if part is None or part.task() is not task:
        part = _remember(task)
    _, name, version, interface, ignored = part
    hashes = {
        key: sha256(identity_bytes(inputs[key])).hexdigest() for key in sorted(inputs) if key not in ignored
    }  # fmt: skip
    digest = sha256(_encode((project, domain, name, version, interface, list(hashes.items())))).hexdigest()
    return CacheKey(
        digest=digest,
        project=project,
        domain=domain,
        task=name,
        version=version,
        interface=interface,
        inputs=hashes,
    )


def _remember(task: TaskSpec) -> _TaskPart:
    cache = task.cache
    if cache is None:
        raise EngineError(f"the task {task.id.name!r} is not cached and has no cache key")
    version = cache.version.strip()
    if not version:
        raise CompileError(
            f"the cache version of the task {task.id.name!r} is empty",
            hint='Give one, as cache_version="1", or let it be computed.',
        )
    identity = id(task)

    def forget(reference: weakref.ref[TaskSpec]) -> None:
        part = _parts.get(identity)
        if part is not None and part.task is reference:
            del _parts[identity]

    part = _TaskPart(
        weakref.ref(task, forget),
        task.id.name,
        version,
        task.interface.fingerprint(),
        frozenset(cache.ignored_inputs),
    )
    _parts[identity] = part
    return part


def key_for(key: CacheKey, inputs: Mapping[str, Literal]) -> CacheKey:
    """Return the key that the task of another key, as it was then, has for some inputs.

    Args:
        key: The other key.
        inputs: All inputs; those that the other key does not have count no more than they did there.
    """
    hashes = {name: sha256(identity_bytes(inputs[name])).hexdigest() for name in sorted(key.inputs) if name in inputs}
    parts = (key.project, key.domain, key.task, key.version, key.interface, list(hashes.items()))
    return msgspec.structs.replace(key, digest=sha256(_encode(parts)).hexdigest(), inputs=hashes)


# --- why was this a miss? --------------------------------------------------------------------------------------------


class Difference(NamedTuple):
    """One part in which two keys differ.

    Attributes:
        part: ``project``, ``domain``, ``task``, ``version``, ``interface``, or ``input`` and the name of an input.
        old: Its value in the entry; empty for an input that the entry does not have.
        new: Its value in the key that was asked for; empty for an input that it does not have.
    """

    part: str
    old: str
    new: str

    def __str__(self) -> str:
        kind, _, name = self.part.partition(" ")
        if kind == "input":
            return self._input(name)
        if kind == "interface":
            return "the types of the inputs or outputs changed"
        what = {"version": "the cache version", "task": "the task's name"}.get(kind, f"the {kind}")
        return f"{what} changed (was {self.old!r}, now {self.new!r})"

    def _input(self, name: str) -> str:
        if not self.old:
            return f"input {name!r} is new"
        if not self.new:
            return f"input {name!r} no longer counts"
        return f"input {name!r} changed (was {_short(self.old)}, now {_short(self.new)})"


class Explanation(msgspec.Struct, frozen=True):
    """Why a key was a miss. As text it reads as sentences.

    Attributes:
        key: The key that was asked for.
        nearest: Key of the entry that differs least; None if there is none of the task.
        differences: The parts in which they differ; empty if the entry is the one that was asked for.
    """

    key: CacheKey
    nearest: CacheKey | None
    differences: tuple[Difference, ...] = ()

    def __str__(self) -> str:
        if self.nearest is None:
            return f"Nothing is cached for the task {self.key.task!r}."
        if not self.differences:
            return f"An entry of the task {self.key.task!r} with exactly this key is cached."
        reasons = [str(difference) for difference in self.differences]
        if len(reasons) == 1:
            return f"The nearest entry of the task {self.nearest.task!r} differs in one part: {reasons[0]}."
        lines = "\n".join(f"  - {reason}" for reason in reasons)
        return f"The nearest entry of the task {self.nearest.task!r} differs in {len(reasons)} parts:\n{lines}"


def explain(key: CacheKey, candidates: Iterable[CacheKey]) -> Explanation:
    """Find the cached key that differs least from one that was a miss, and say in what.

    Args:
        key: The key that was asked for.
        candidates: Keys of entries, newest first: of those that differ equally, the first is taken. Those of other
            tasks count only if nothing else differs, as after a task was renamed.
    """
    best: tuple[CacheKey, tuple[Difference, ...]] | None = None
    for candidate in candidates:
        found = differences(candidate, key)
        if candidate.task != key.task and len(found) > 1:
            continue
        if best is None or len(found) < len(best[1]):
            best = candidate, found
        if not found:
            break
    return Explanation(key, None) if best is None else Explanation(key, *best)


def differences(old: CacheKey, new: CacheKey) -> tuple[Difference, ...]:
    """Return the parts in which two keys differ, inputs last and in order of name."""
    found = [
        Difference(part, getattr(old, part), getattr(new, part))
        for part in ("project", "domain", "task", "version", "interface")
        if getattr(old, part) != getattr(new, part)
    ]
    found += [
        Difference(f"input {name}", old.inputs.get(name, ""), new.inputs.get(name, ""))
        for name in sorted(old.inputs.keys() | new.inputs.keys())
        if old.inputs.get(name) != new.inputs.get(name)
    ]
    return tuple(found)


def _short(content_hash: str) -> str:
    return f"{content_hash[:4]}…"
