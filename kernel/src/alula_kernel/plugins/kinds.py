"""What plugins may register, and what is checked about it."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from ..contracts import BlobBackend, Cache, Command, TaskExecutor, TaskType, TypeTransformer
    from ..images import ImageBuilder
    from ..secrets import SecretProvider


class Kind(msgspec.Struct, frozen=True):
    """What one registering hook yields.

    Attributes:
        hook: The hook.
        label: What one such object is called in messages.
        contract: The class that the objects must be of, as ``"module.Class"`` in the kernel: most programs need few.
        claims: What no two objects may share, as pairs of a kind of claim and its value.
    """

    hook: str
    label: str
    contract: str
    claims: Callable[[Any], Iterator[tuple[str, str]]]

    def fulfils(self, registered: Any) -> bool:
        """Tell whether an object is of the contract."""
        module, _, name = self.contract.rpartition(".")
        contract: type = getattr(importlib.import_module(f"..{module}", __package__), name)
        return isinstance(registered, contract)


def _each(owner: Any, attribute: str) -> Sequence[Any]:
    """Return a sequence that a plugin's object carries.

    Raises:
        TypeError: It is a string, which would be taken letter by letter.
    """
    value = getattr(owner, attribute)
    if isinstance(value, str):
        raise TypeError(f"{attribute} is the string {value!r}, expected a sequence such as [{value!r}]")
    return tuple(value)


def _transformer_claims(transformer: TypeTransformer) -> Iterator[tuple[str, str]]:
    yield "name", transformer.name
    for python_type in _each(transformer, "python_types"):
        if isinstance(python_type, str):
            yield "class", python_type
        else:  # special forms such as typing.Union have no __qualname__ on every Python
            yield "class", f"{python_type.__module__}.{getattr(python_type, '__qualname__', None) or python_type._name}"


def _task_type_claims(task_type: TaskType) -> Iterator[tuple[str, str]]:
    yield "name", task_type.name
    if task_type.config:
        yield "config class", task_type.config


def _backend_claims(backend: BlobBackend) -> Iterator[tuple[str, str]]:
    yield "name", backend.name
    for scheme in _each(backend, "schemes"):
        yield "scheme", scheme


def _name_claim(
    registered: TaskExecutor | Cache | SecretProvider | ImageBuilder | Command,
) -> Iterator[tuple[str, str]]:
    yield "name", registered.name


KINDS = {
    "type_transformers": Kind(
        "alula_type_transformers", "type transformer", "contracts.TypeTransformer", _transformer_claims
    ),
    "task_types": Kind("alula_task_types", "task type", "contracts.TaskType", _task_type_claims),
    "executors": Kind("alula_task_executors", "executor", "contracts.TaskExecutor", _name_claim),
    "blob_backends": Kind("alula_blob_backends", "blob backend", "contracts.BlobBackend", _backend_claims),
    "caches": Kind("alula_caches", "cache", "contracts.Cache", _name_claim),
    "secret_providers": Kind("alula_secret_providers", "secret provider", "secrets.SecretProvider", _name_claim),
    "image_builders": Kind("alula_image_builders", "image builder", "images.ImageBuilder", _name_claim),
    "commands": Kind("alula_commands", "command", "contracts.Command", _name_claim),
}


def fault(kind: Kind, registered: Any) -> str:
    """Say what is wrong with an object that a plugin returned; empty if nothing is."""
    if not kind.fulfils(registered):
        hint = "; it is a class, not an object" if isinstance(registered, type) else ""
        return f"{registered!r:.80}, expected objects of {kind.contract.rpartition('.')[2]}{hint}"
    name = getattr(registered, "name", None)
    if not isinstance(name, str) or not name:
        return f"a {type(registered).__qualname__} without a name"
    try:
        claims: list[tuple[str, Any]] = list(kind.claims(registered))
    except Exception as error:  # noqa: BLE001 - attributes of a plugin's object
        return f"the {kind.label} {name!r} with malformed attributes: {shown(error)}"
    wrong = [f"{what} {value!r}" for what, value in claims if not isinstance(value, str) or value == ""]
    return f"the {kind.label} {name!r} with the {wrong[0]}, expected a string" if wrong else ""


def clash(kind: Kind, registered: Any, claimed: Mapping[tuple[str, str], str]) -> tuple[str, str] | None:
    """Return message and hint if an object claims what another object has, else None."""
    for claim in kind.claims(registered):
        if claim in claimed:
            what, value = claim
            message = (
                f"its {kind.label} {registered.name!r} is left out: the {what} {value!r} belongs to {claimed[claim]}"
            )
            return message, "Uninstall one of the two, or switch one off with ALULA_PLUGINS_DISABLED."
    return None


def shown(error: BaseException) -> str:
    """Show an exception of a plugin in at most 500 characters."""
    text = str(error)
    shown = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return shown if len(shown) <= 500 else f"{shown[:497]}..."
