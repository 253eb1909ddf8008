"""``alula secret``."""

from __future__ import annotations

import io
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from alula._app import current_app
from alula._secrets import Secrets

from .conftest import Answer

Run = Callable[..., Answer]


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Give a function that says what is read from stdin."""
    return lambda text: monkeypatch.setattr(sys, "stdin", io.StringIO(text))


def test_secrets_are_kept_listed_and_forgotten(alula: Run, stdin: Callable[[str], None], alula_home: Path) -> None:
    assert alula("secret", "list").err == f"there are no secrets in {alula_home / 'secrets'}\n"
    stdin("swordfish\n")
    answer = alula("secret", "set", "password", "--group", "db")
    assert answer == (0, "", f"{alula_home}/secrets/db/password has db/password\n")
    stdin("two\nlines\n")
    assert alula("secret", "set", "key").code == 0
    assert Secrets(current_app()).get("db", "password") == "swordfish"
    assert Secrets(current_app()).get("key", encode_mode="rb") == b"two\nlines\n"
    path = alula_home / "secrets" / "db" / "password"
    assert path.read_text() == "swordfish"
    assert [stat.S_IMODE(each.stat().st_mode) for each in (path, path.parent)] == [0o600, 0o700]
    assert alula("secret", "list").out == "db/password\nkey\n"

    stdin("other")
    assert alula("secret", "set", "db/password").code == 0
    assert path.read_text() == "other"
    assert alula("secret", "delete", "db/password").err == "deleted db/password\n"
    assert alula("secret", "list").out == "key\n"
    answer = alula("secret", "delete", "db/password")
    assert (answer.code, "there is no secret 'db/password' to delete" in answer.err) == (2, True)


def test_a_value_is_not_taken_from_the_command_line(alula: Run) -> None:
    answer = alula("secret", "set", "password", "swordfish")
    assert answer.code == 2
    assert "unexpected extra argument" in answer.err


def test_an_empty_value_is_refused(alula: Run, stdin: Callable[[str], None]) -> None:
    stdin("")
    answer = alula("secret", "set", "password")
    assert (answer.code, "the value of password is empty" in answer.err) == (2, True)


@pytest.mark.parametrize("key", ["../x", "a/../b", ".x"])
def test_a_name_that_leaves_the_folder_is_refused(alula: Run, key: str) -> None:
    answer = alula("secret", "set", key)
    assert (answer.code, "cannot be the name of a secret" in answer.err) == (2, True)


@pytest.mark.parametrize("command", ["set", "delete"])
def test_a_keyring_without_its_package(alula: Run, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    answer = alula("secret", command, "password", "--keyring")
    assert (answer.code, "Install it: pip install keyring" in answer.err) == (2, True)


def test_a_missing_secret_is_told_before_a_run(alula: Run, write: Callable[[str, str], Path]) -> None:
    write(
        "needs.py",
        "from alula import task\n\n\n@task(secret_requests=['token'])\ndef needs() -> int:\n    return 1\n",
    )
    answer = alula("run", "needs.py", "needs")
    assert answer.code == 2
    assert "task needs.needs: there is no secret 'token'" in answer.err
    assert "ALULA_SECRET_TOKEN" in answer.err
