"""Secrets: what a task asks for, and how it is given their values while it runs.

Values are looked up where the task runs, when it begins or asks, and are never part of a spec, an input or a message.
"""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from alula_kernel.errors import ArgumentError, UnknownNameError, UsageError
from alula_kernel.secrets import SecretRequest
from alula_kernel.specs import EntitySpec, SecretSpec, TaskSpec

from ._body import set_variables
from ._logger import logger
from ._redaction import holds_secret, masked, masked_streams, remember
from ._secret_files import private_folder, write_private

if TYPE_CHECKING:
    from alula_kernel.literals import Literal

    from ._app import App

FOLDER_VARIABLE = "ALULA_SECRETS"
"""Environment variable of an attempt with the path of the folder that holds its secrets as files, if it has any."""


class MountType(enum.Enum):
    """How a secret must be given to a task."""

    ANY = "any"
    ENV_VAR = "env_var"
    FILE = "file"


@dataclasses.dataclass(frozen=True)
class Secret:
    """A secret that a task asks for.

    Attributes:
        key: Its name.
        group: The group that it belongs to.
        group_version: Version of the group.
        mount_requirement: How it must be given to the task: ``any``, ``env_var``, ``file``, or a `Secret.MountType`.
        env_var: Environment variable under which the task wants it.
        as_env_var: Another name of `env_var`.
        mount: Folder in which the task wants it as a file.
        required: Whether a run is refused if it is not there; if not, the task runs without it.

    Raises:
        ArgumentError: It has neither key nor group, or cannot be given in that way.
    """

    MountType: ClassVar[type[MountType]] = MountType

    key: str | None = None
    group: str | None = None
    group_version: str | None = None
    mount_requirement: Any = "any"
    env_var: str | None = None
    as_env_var: str | None = None
    mount: Path | None = None
    required: bool = True

    def __post_init__(self) -> None:
        if not self.key and not self.group:
            raise ArgumentError("a Secret needs a key, a group, or both")
        if self.wanted_as not in {"any", "env_var", "file"}:
            raise ArgumentError(
                f"mount_requirement of the secret {self.key or self.group!r} is {self.mount_requirement!r}",
                hint="Expected any, env_var or file.",
            )
        variable = self.env_var or self.as_env_var
        if variable and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", variable):
            raise ArgumentError(f"{variable!r} cannot be the name of an environment variable")

    @property
    def wanted_as(self) -> str:
        """``file`` or ``env_var`` if it must be given so, else ``any``."""
        if self.mount is not None:
            return "file"
        return str(getattr(self.mount_requirement, "name", self.mount_requirement)).lower()

    @property
    def variable(self) -> str:
        """The environment variable that is set: the chosen one, else group and key in capitals; empty for a file."""
        if self.env_var or self.as_env_var:
            return self.env_var or self.as_env_var or ""
        return "" if self.wanted_as == "file" else variable_name(self.group, self.key)

    def spec(self) -> SecretSpec:
        """Return what a task's spec holds of it."""
        return SecretSpec(
            key=self.key or "",
            group=self.group or "",
            version=self.group_version or "",
            variable=self.variable,
            mount=self.wanted_as,
            optional=not self.required,
        )


def variable_name(*parts: str | None) -> str:
    """Return the environment variable of a secret: its parts in capitals, joined by ``_``."""
    return "_".join(re.sub(r"\W", "_", part).upper() for part in parts if part)


def secret_specs(secrets: Sequence[Any]) -> tuple[SecretSpec, ...]:
    """Return what a task's spec holds of the secrets that it asks for.

    Args:
        secrets: `Secret` objects, or keys.

    Raises:
        ArgumentError: One is something else.
    """
    made = []
    for secret in secrets:
        if isinstance(secret, str):
            secret = Secret(secret)
        if not isinstance(secret, Secret):
            raise ArgumentError(f"expected a Secret or the key of one, found {type(secret).__qualname__}")
        made.append(secret.spec())
    return tuple(made)


class Secrets:
    """The secrets that a running task may read, also by attributes: ``secrets.database.password``.

    Args:
        app: The application, whose providers are asked.
        wanted: What the task asked for.
    """

    def __init__(self, app: App, wanted: tuple[SecretSpec, ...] = ()) -> None:
        self._app = app
        self._wanted = {(spec.group, spec.key): spec for spec in wanted}
        self._folder: Path | None = None

    def get(
        self, group: str | None = None, key: str | None = None, group_version: str | None = None, encode_mode: str = "r"
    ) -> Any:
        """Return the value of a secret.

        Args:
            group: Its group.
            key: Its name.
            group_version: Version of the group.
            encode_mode: ``"r"`` for text, without a newline at its end; ``"rb"`` for the bytes as they are.

        Raises:
            ArgumentError: There is no such secret; the message says where it was looked for.
        """
        spec = self._wanted.get((group or "", key or "")) or self._wanted.get(("", group or ""))
        version = group_version or (spec.version if spec is not None else "")
        variable = spec.variable if spec is not None else ""
        value = find_secret(self._app, SecretRequest(key or "", group or "", version, variable))
        return value if encode_mode == "rb" else _text(value)

    def get_secrets_env_var(self, group: str, key: str | None = None, group_version: str | None = None) -> str:
        """Return the environment variable that a local run reads for a secret."""
        return variable_name("ALULA_SECRET", group, key)

    def get_secrets_file(self, group: str, key: str | None = None, group_version: str | None = None) -> str:
        """Return the path of a secret that the task asked for as a file, which goes when the attempt ends.

        Of another secret, it is the path that a provider says.

        Raises:
            UsageError: The task did not ask for it as a file, and no provider has a path for it.
        """
        path = self._folder.joinpath(*filter(None, (group, key))) if self._folder is not None else None
        if path is None or not path.is_file():
            request = SecretRequest(key or "", group, group_version or "")
            for provider, _source in self._app.plugins.secret_providers():
                if found := provider.file(request):
                    return found
            shown = "/".join(filter(None, (group, key)))
            raise UsageError(
                f"the secret {shown!r} is not there as a file",
                hint='Ask for it so: Secret(..., mount_requirement="file") in the task\'s secret_requests.',
            )
        return str(path)

    def mask(self, text: str) -> str:
        """Return a text without the values of secrets that this process knows, as Alula shows whatever it shows itself."""
        return masked(text)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return _Group(self, name)

    @contextlib.contextmanager
    def given(self) -> Iterator[None]:
        """Give the task what it asked for while the block runs: environment variables, files, and masked output.

        Raises:
            ArgumentError: A secret is missing; every missing one is named.
        """
        _check(self._app, self._wanted.values())
        found = {spec: _find_wanted(self._app, spec) for spec in self._wanted.values()}
        values = {spec: value for spec, value in found.items() if value is not None}
        variables = {spec.variable: _text(value) for spec, value in values.items() if spec.variable}
        files = {spec: value for spec, value in values.items() if spec.mount == "file"}
        with contextlib.ExitStack() as stack:
            stack.enter_context(masked_streams())
            if files:
                self._folder = stack.enter_context(private_folder())
                variables[FOLDER_VARIABLE] = str(self._folder)
                for spec, value in files.items():
                    write_private(self._folder.joinpath(*filter(None, (spec.group, spec.key))), value)
            stack.enter_context(set_variables(variables))
            yield


class _Group:
    """Secrets of one group, by attributes; used as text, the secret that has the group's name itself."""

    def __init__(self, secrets: Secrets, group: str) -> None:
        self._secrets = secrets
        self._group = group

    def __getattr__(self, key: str) -> str:
        if key.startswith("_"):
            raise AttributeError(key)
        return str(self._secrets.get(self._group, key))

    def __repr__(self) -> str:
        return f"<secrets of group {self._group!r}>"


def find_secret(app: App, request: SecretRequest) -> bytes:
    """Return the value of a secret, from the first provider that has it. It is masked from now on.

    Raises:
        ArgumentError: None has it; the message says where it was looked for.
        UsageError: A provider cannot be asked.
    """
    value = _value_of(app, request)
    if value is not None:
        return value
    places = [provider.place(request) for provider, _source in app.plugins.secret_providers()]
    raise ArgumentError(
        f"there is no secret {str(request)!r}",
        hint=f"It was looked for in {', '.join(filter(None, places))}.",
    )


def _find_wanted(app: App, spec: SecretSpec) -> bytes | None:
    """Return the value of a secret that a task asked for; None if it is optional and not there."""
    return _value_of(app, _request(spec)) if spec.optional else find_secret(app, _request(spec))


def _value_of(app: App, request: SecretRequest) -> bytes | None:
    for provider, source in app.plugins.secret_providers():
        try:
            value = provider.get(request)
        except UsageError:
            raise
        except Exception as problem:  # noqa: BLE001 - plugin code, which may raise anything
            raise UsageError(
                f"the secret provider {provider.name} ({source}) failed to look for {str(request)!r}: "
                f"{type(problem).__name__}: {masked(str(problem))}"
            ) from None  # what it raised may hold more than it should
        if value is not None:
            remember(value)
            return value
    return None


def check_secrets(app: App, spec: EntitySpec, executor: str) -> None:
    """Refuse a run whose tasks ask for secrets that are not there, as far as that can be told before it begins.

    Tasks that other tasks call are met only when they are called, and those that run elsewhere find their secrets there.

    Args:
        app: The application.
        spec: What is run.
        executor: Name of the run's executor; empty for the default.

    Raises:
        ArgumentError: Secrets are missing; every one is named, with the task that asks for it.
    """
    try:
        reached = app.entities.behind(spec.id)
    except UnknownNameError:  # something in it is registered elsewhere
        return
    for found in reached:
        if (
            isinstance(found, TaskSpec)
            and found.secrets
            and app.engine.executor(found, executor).name in _LOCAL_EXECUTORS
        ):
            _check(app, found.secrets, f"task {found.id.name}: ")


_LOCAL_EXECUTORS = frozenset({"inline", "process"})


def _check(app: App, wanted: Any, task: str = "") -> None:
    problems = []
    for spec in wanted:
        try:
            _find_wanted(app, spec)
        except UsageError as problem:
            problems.append(problem)
    if problems:
        raise ArgumentError(
            task + "; ".join(problem.message for problem in problems),
            hint=" ".join(dict.fromkeys(problem.hint for problem in problems if problem.hint)),
        )


class Outputs:
    """What becomes of outputs that hold the value of a secret; see `alula.adapting.let_outputs_hold_secrets`."""

    may_hold_secrets = False


def refuse_secrets_in(outputs: Mapping[str, Literal]) -> None:
    """Refuse outputs that hold the value of a secret, since they would be stored; or tell of it, where they may.

    Raises:
        UsageError: One does.
    """
    for name, literal in outputs.items():
        if literal_holds_secret(literal):
            if Outputs.may_hold_secrets:
                logger.warning("the output %r holds the value of a secret, and is stored with it", name)
                continue
            raise UsageError(
                f"the output {name!r} holds the value of a secret, and outputs are stored",
                hint="Return something else, and let the task that needs the secret ask for it.",
            )


def literal_holds_secret(literal: Literal) -> bool:
    """Tell whether the value of a secret is in a literal; what a file or data frame holds is not looked into."""
    import msgspec

    return holds_secret(msgspec.msgpack.encode(literal))


def _request(spec: SecretSpec) -> SecretRequest:
    return SecretRequest(spec.key, spec.group, spec.version, spec.variable)


def _text(value: bytes) -> str:
    return value.decode().rstrip("\n")
