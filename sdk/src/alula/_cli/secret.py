"""``alula secret``: keeping secrets for the runs of this machine."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from alula_kernel.errors import UsageError

from .failures import say

if TYPE_CHECKING:
    from alula_kernel.secrets import SecretRequest

    from .._secret_providers import FileProvider

_group = click.option("--group", "group_name", default="", metavar="GROUP", help="The group that it belongs to.")
_keyring = click.option("--keyring", is_flag=True, help="In the keyring of the operating system instead of a file.")


@click.group()
def group() -> None:
    """Keep secrets for the runs of this machine.

    They are kept in files that only you can read, in the folder `secrets` of ALULA_HOME, or in the keyring of the
    operating system. Values are never taken from the command line, which others can see.
    """


@group.command("set")
@click.argument("key")
@_group
@_keyring
def set_secret(key: str, group_name: str, keyring: bool) -> None:
    """Keep a secret. Its value is asked for, or read from stdin where that is not a terminal."""
    request = _request(key, group_name)
    if keyring:
        from .._secret_providers import KeyringProvider, keyring_module

        keyring_module()  # what is missing is said before the value is asked for
        KeyringProvider().set(request, _value(request))
        say(f"the keyring has {request}")
        return
    path = _files().path(request)
    value = _value(request)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.{os.getpid()}")
        with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(value)
        partial.rename(path)
    except OSError as problem:
        raise UsageError(f"cannot write {path}: {problem.strerror or problem}") from None
    say(f"{path} has {request}")


@group.command("list")
def list_secrets() -> None:
    """List the names of the secrets that are kept in files. A keyring cannot be listed."""
    folder = _files().folder
    names = sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(".")
    )
    if not names:
        say(f"there are no secrets in {folder}")
    for name in names:
        click.echo(name)


@group.command()
@click.argument("key")
@_group
@_keyring
def delete(key: str, group_name: str, keyring: bool) -> None:
    """Forget a secret."""
    request = _request(key, group_name)
    if keyring:
        from .._secret_providers import KeyringProvider

        there = KeyringProvider().delete(request)
    else:
        path = _files().path(request)
        there = path.is_file()
        path.unlink(missing_ok=True)
    if not there:
        raise UsageError(f"there is no secret {str(request)!r} to delete", hint="See: alula secret list")
    say(f"deleted {request}")


def _request(key: str, group_name: str) -> SecretRequest:
    from alula_kernel.secrets import SecretRequest

    if not group_name and "/" in key:  # as `list` shows it
        group_name, _, key = key.partition("/")
    return SecretRequest(key, group_name)


def _files() -> FileProvider:
    from .._app import current_app
    from .._secret_providers import FileProvider

    return FileProvider(current_app().settings.home / "secrets")


def _value(request: SecretRequest) -> str:
    """Ask for the value.

    Raises:
        UsageError: It is empty.
    """
    if sys.stdin.isatty():
        value = str(click.prompt(f"value of {request}", hide_input=True, confirmation_prompt=True, err=True))
    else:
        value = sys.stdin.read()
        value = value[:-1] if value.endswith("\n") and value.count("\n") == 1 else value
    if not value:
        raise UsageError(f"the value of {request} is empty", hint="Write it to stdin, or type it when it is asked for.")
    return value
