"""Secrets: how tasks are given them, and that they get nowhere else."""

from __future__ import annotations

import base64
import html
import logging
import os
import stat
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import alula
from alula import Secret, TaskEnvironment, current_context, dynamic, task, workflow
from alula._app import App, current_app
from alula._redaction import masked, masked_streams, remember
from alula._secret_providers import EnvironmentProvider, FileProvider, KeyringProvider
from alula._secrets import FOLDER_VARIABLE, Secrets, find_secret
from alula_kernel.errors import ArgumentError, MissingDependencyError, UsageError
from alula_kernel.hookspecs import hookimpl
from alula_kernel.plugins import load_plugins
from alula_kernel.secrets import SecretProvider, SecretRequest
from alula_kernel.specs import SecretSpec

VALUE = "s3cr3t-value/with 'quotes' & more"


@pytest.fixture
def secret(alula_home: Path) -> str:
    """Keep a secret ``database/password`` in a file."""
    path = alula_home / "secrets" / "database" / "password"
    path.parent.mkdir(parents=True)
    path.write_text(f"{VALUE}\n")
    return VALUE


# --- what authors write ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "spec"),
    [
        ("api-token", SecretSpec(key="api-token", variable="API_TOKEN")),
        (Secret("api-token"), SecretSpec(key="api-token", variable="API_TOKEN")),
        (Secret("pw", group="db", group_version="2"), SecretSpec("pw", "db", "2", "DB_PW")),
        (Secret("pw", as_env_var="MINE"), SecretSpec("pw", variable="MINE")),
        (Secret("pw", env_var="MINE", mount_requirement="env_var"), SecretSpec("pw", variable="MINE", mount="env_var")),
        (Secret("pw", mount_requirement=Secret.MountType.FILE), SecretSpec("pw", mount="file")),
        (Secret("pw", mount=Path("/etc/flyte/secrets")), SecretSpec("pw", mount="file")),
        (Secret("pw", mount_requirement="file", env_var="X"), SecretSpec("pw", variable="X", mount="file")),
        (Secret(group="whole"), SecretSpec(group="whole", variable="WHOLE")),
    ],
)
def test_requests_are_part_of_the_spec(asked: Any, spec: SecretSpec) -> None:
    @task(secret_requests=[asked])
    def asks() -> int:
        return 1

    assert asks.spec(current_app()).secrets == (spec,)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (Secret, "needs a key, a group"),
        (lambda: Secret("a", env_var="NOT-ONE"), "cannot be the name of an environment variable"),
        (lambda: Secret("a", mount_requirement="volume"), "mount_requirement of the secret 'a' is 'volume'"),
    ],
)
def test_mistakes_are_refused(make: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make()


def test_something_else_is_refused() -> None:
    @task(secret_requests=[7])
    def asks() -> int:
        return 1

    with pytest.raises(UsageError, match="expected a Secret or the key of one, found int"):
        asks.spec(current_app())


# --- what a running task is given ------------------------------------------------------------------------------------


def test_as_a_variable_for_the_time_of_the_attempt(secret: str) -> None:
    @task(secret_requests=[Secret("password", group="database", env_var="DB_SECRET")])
    def look() -> list[bool]:
        return [os.environ["DB_SECRET"] == VALUE, current_context().secrets.get("database", "password") == VALUE]

    assert look() == [True, True]
    assert "DB_SECRET" not in os.environ


def test_as_a_file_that_only_its_user_reads(secret: str, tmp_path: Path) -> None:
    note = tmp_path / "note"

    @task(secret_requests=[Secret("password", group="database", mount_requirement="file")])
    def look() -> list[bool]:
        secrets = current_context().secrets
        path = Path(secrets.get_secrets_file("database", "password"))
        note.write_text(str(path))
        folder = Path(os.environ[FOLDER_VARIABLE])
        modes = [stat.S_IMODE(entry.stat().st_mode) for entry in (folder, path)]
        return [path == folder / "database" / "password", path.read_text() == f"{VALUE}\n", modes == [0o700, 0o400]]

    assert look() == [True, True, True]
    assert not Path(note.read_text()).exists()
    assert not Path(note.read_text()).parents[1].exists()
    assert FOLDER_VARIABLE not in os.environ


def test_a_file_that_was_not_asked_for(secret: str) -> None:
    @task(secret_requests=[Secret("password", group="database")])
    def look() -> str:
        return str(current_context().secrets.get_secrets_file("database", "password"))

    with pytest.raises(UsageError, match="'database/password' is not there as a file"):
        look()


def test_in_an_async_task_by_attributes(secret: str) -> None:
    env = TaskEnvironment("secrets-async", secrets=[Secret("password", group="database")])

    @env.task
    async def look() -> bool:
        context = alula.ctx()
        assert context is not None
        return bool(context.secrets.database.password == VALUE == os.environ["DATABASE_PASSWORD"])

    assert alula.run(look).result is True


def test_what_killed_attempts_left_is_removed(secret: str) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait(timeout=60)
    place = Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else Path("/tmp")
    left = place / f"alula-secrets-{ended.pid}-x"
    left.mkdir()
    (left / "password").write_text("x")

    @task(secret_requests=[Secret("password", group="database", mount_requirement="file")])
    def look() -> bool:
        return left.exists()

    assert look() is False


# --- what is missing -------------------------------------------------------------------------------------------------


def test_every_missing_secret_is_named_before_anything_runs(alula_home: Path) -> None:
    ran = []

    @task
    def first() -> int:
        ran.append(1)
        return 1

    @task(secret_requests=["token", Secret("password", group="database")])
    def second(x: int) -> int:
        return x

    @workflow
    def both() -> int:
        return second(x=first())

    with pytest.raises(
        UsageError, match="there is no secret 'token'; there is no secret 'database/password'"
    ) as caught:
        both()
    assert ran == []
    assert "second" in caught.value.message
    assert "ALULA_SECRET_TOKEN or TOKEN" in caught.value.hint
    assert str(alula_home / "secrets" / "database" / "password") in caught.value.hint


def test_a_missing_secret_of_a_task_met_later_fails_that_task() -> None:
    @task(secret_requests=["token"])
    def needs() -> int:
        return 1

    @dynamic
    def later() -> int:
        return needs()

    run = alula.run(later)
    assert run.error is not None
    assert "there is no secret 'token'" in run.error.message
    assert not run.error.recoverable


# --- where secrets are looked for ------------------------------------------------------------------------------------


def lookups(provider: SecretProvider, *requests: SecretRequest) -> list[bytes | None]:
    return [provider.get(request) for request in requests]


def test_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    provider = EnvironmentProvider()
    monkeypatch.setenv("ALULA_SECRET_DB_2_PASS_WORD", "second")
    monkeypatch.setenv("ALULA_SECRET_DB_PASS_WORD", "any")
    monkeypatch.setenv("MINE", "plain")
    assert lookups(
        provider,
        SecretRequest("pass-word", "db", "2"),
        SecretRequest("pass-word", "db", "3"),
        SecretRequest("mine"),
        SecretRequest("other", variable="MINE"),
    ) == [b"second", b"any", None, b"plain"]


def test_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own, mounted = tmp_path / "own", tmp_path / "mounted"
    for path, text in ((own / "db" / "pw", "own"), (mounted / "db" / "2" / "pw", "two"), (mounted / "db" / "pw", "no")):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    provider = FileProvider(own)
    assert lookups(provider, SecretRequest("pw", "db"), SecretRequest("PW", "DB")) == [b"own", b"own"]
    (own / "db" / "pw").unlink()
    assert provider.get(SecretRequest("pw", "db")) is None
    monkeypatch.setenv("ALULA_SECRETS_FOLDER", str(mounted))
    assert lookups(provider, SecretRequest("pw", "db", "2"), SecretRequest("pw", "db")) == [b"two", b"no"]


@pytest.mark.parametrize("key", ["..", "../db/pw", "/etc/passwd", ".hidden", "a\0b"])
def test_no_file_outside_of_the_folder_is_read(tmp_path: Path, key: str) -> None:
    (tmp_path / "db").mkdir()
    (tmp_path / "db" / "pw").write_text("x")
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / ".hidden").write_text("x")
    provider = FileProvider(tmp_path / "own")
    assert provider.get(SecretRequest(key)) is None
    with pytest.raises(UsageError, match="cannot be the name of a secret"):
        provider.path(SecretRequest(key))


@pytest.fixture
def keyring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put a keyring package in place that keeps passwords in memory, and is locked for one service."""
    package = tmp_path / "site" / "keyring"
    package.mkdir(parents=True)
    (package / "errors.py").write_text(
        "class KeyringError(Exception): ...\nclass PasswordDeleteError(KeyringError): ...\n"
    )
    (package / "__init__.py").write_text(
        "from . import errors\n"
        "kept = {}\n"
        "def get_password(service, name):\n"
        "    if service == 'alula/locked': raise errors.KeyringError('locked')\n"
        "    return kept.get((service, name))\n"
        "def set_password(service, name, value):\n"
        "    if service == 'alula/locked': raise errors.KeyringError('locked')\n"
        "    kept[service, name] = value\n"
        "def delete_password(service, name):\n"
        "    if service == 'alula/locked': raise errors.KeyringError('locked')\n"
        "    if kept.pop((service, name), None) is None: raise errors.PasswordDeleteError('none')\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    for name in ("keyring", "keyring.errors"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield
    for name in ("keyring", "keyring.errors"):
        sys.modules.pop(name, None)


@pytest.mark.usefixtures("keyring")
def test_the_keyring() -> None:
    provider, request, locked = KeyringProvider(), SecretRequest("pw", "db"), SecretRequest("pw", "locked")
    assert provider.get(request) is None
    provider.set(request, VALUE)
    assert provider.get(request) == VALUE.encode()
    assert provider.place(request) == "the keyring, as pw of alula/db"
    assert find_secret(current_app(), request) == VALUE.encode()
    assert (provider.delete(request), provider.delete(request)) == (True, False)
    assert provider.get(locked) is None
    with pytest.raises(UsageError, match="does not take the secret: locked"):
        provider.set(locked, VALUE)
    with pytest.raises(UsageError, match="cannot be used: locked"):
        provider.delete(locked)


def test_the_keyring_without_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    provider, request = KeyringProvider(), SecretRequest("pw")
    assert provider.get(request) is None
    assert provider.place(request) == ""
    with pytest.raises(MissingDependencyError, match="need the package keyring") as caught:
        provider.set(request, VALUE)
    assert caught.value.hint == "Install it: pip install keyring"


class Vault(SecretProvider):
    """A provider of a plugin, which can fail."""

    name = "vault"

    def get(self, request: SecretRequest) -> bytes | None:
        if request.key == "broken":
            raise ConnectionError(f"no answer, and by the way {VALUE}")
        return VALUE.encode() if request.key == "there" else None

    def place(self, request: SecretRequest) -> str:
        return f"the vault under {request}"


class VaultPlugin:
    @hookimpl
    def alula_secret_providers(self) -> Sequence[SecretProvider]:
        return [Vault()]


def test_a_provider_of_a_plugin_is_asked_too() -> None:
    app = App()
    app.plugins = load_plugins([VaultPlugin()], disabled="all")
    assert Secrets(app).get(key="there") == VALUE
    with pytest.raises(ValueError, match="there is no secret 'other'") as caught:
        Secrets(app).get(key="other")
    assert isinstance(caught.value, ArgumentError)
    assert "the vault under other" in caught.value.hint
    with pytest.raises(
        UsageError, match=r"provider vault .* failed to look for 'broken': ConnectionError: no answer"
    ) as caught:
        Secrets(app).get(key="broken")
    assert VALUE not in str(caught.value)
    assert caught.value.__suppress_context__


# --- where values must not be ----------------------------------------------------------------------------------------


def forms(value: str) -> list[bytes]:
    return [value.encode(), base64.b64encode(value.encode())]


def files_with(folder: Path, value: str) -> list[Path]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path for path in files if any(form in path.read_bytes() for form in forms(value))]


@task(secret_requests=[Secret("password", group="database")], enable_deck=True)
def raises_it(how: str) -> int:
    value = os.environ["DATABASE_PASSWORD"]
    current_context().default_deck.append(f"<p>{value}</p>")
    print("printed", value)
    if how == "message":
        raise ValueError(f"cannot log in with {value}")
    if how == "repr":
        raise KeyError(value)
    if how == "cause":
        try:
            raise ValueError(value)
        except ValueError as problem:
            raise RuntimeError("no login") from problem
    if how == "long":
        raise ValueError(f"{value} " + "x" * 10_000 + value)
    return 1


@task
def calls_it(how: str) -> int:
    return raises_it(how=how)


@pytest.mark.parametrize("how", ["message", "repr", "cause", "long", "nothing"])
def test_nothing_that_is_kept_holds_a_value(how: str, secret: str, alula_home: Path, capsys: Any) -> None:
    run = alula.run(calls_it, how=how)
    if how == "nothing":
        assert run.error is None
    else:
        assert run.error is not None
        assert all(secret not in text for text in (run.error.message, run.error.traceback))
        assert any("[secret]" in text for text in (run.error.message, run.error.traceback))
    kept = alula_home / "secrets" / "database" / "password"
    assert files_with(alula_home, secret) == [kept]
    assert list(alula_home.rglob("report.html"))
    assert "printed [secret]\n" in capsys.readouterr().out
    for action in run.actions:
        assert secret not in repr(action)


def test_outputs_with_a_value_are_refused(secret: str) -> None:
    @task(secret_requests=[Secret("password", group="database")])
    def leaks() -> list[str]:
        return ["login:" + os.environ["DATABASE_PASSWORD"]]

    run = alula.run(leaks)
    assert run.error is not None
    assert "the output 'o0' holds the value of a secret" in run.error.message
    assert secret not in repr(run.actions)


def test_specs_hold_no_values(secret: str) -> None:
    import msgspec

    spec = raises_it.spec(current_app())
    assert secret.encode() not in msgspec.json.encode(spec)


@pytest.mark.parametrize(
    "shown",
    [
        VALUE,
        repr(VALUE),
        f"x{VALUE}y",
        base64.b64encode(VALUE.encode()).decode(),
        "s3cr3t-value%2Fwith%20%27quotes%27%20%26%20more",
        "s3cr3t-value%2Fwith+%27quotes%27+%26+more",
        html.escape(VALUE),
        base64.urlsafe_b64encode(VALUE.encode()).decode(),
    ],
)
def test_every_form_of_a_value_is_masked(shown: str) -> None:
    remember(VALUE.encode())
    assert "[secret]" in masked(shown)
    assert "quotes" not in masked(shown)


def test_short_values_and_bytes_are_no_trouble() -> None:
    remember(b"abc")
    remember(b"\xff\xfe\x00")
    assert masked("abc") == "abc"


def test_both_alphabets_of_base64_are_masked() -> None:
    value = b"?>?>?>?>\n"
    remember(value)
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for data in (value, value.strip()):
            assert masked(encode(data).decode()) == "[secret]"


def test_lines_of_a_key_are_masked() -> None:
    remember(b"-----BEGIN KEY-----\nMIIEowIBAAKCAQEA\n-----END KEY-----\n")
    assert masked("line MIIEowIBAAKCAQEA") == "line [secret]"


def test_what_python_prints_is_masked_meanwhile(capsys: pytest.CaptureFixture[str]) -> None:
    remember(VALUE.encode())
    before = sys.stdout
    with masked_streams(), masked_streams():
        print(f"out {VALUE}")
        sys.stdout.writelines([VALUE, "\n"])
        print(VALUE, file=sys.stderr)
        handler = logging.StreamHandler()
        handler.emit(logging.LogRecord("x", logging.INFO, "", 0, "logged %s", (VALUE,), None))
        sys.stdout.flush()
    assert sys.stdout is before
    shown = capsys.readouterr()
    assert shown.out == "out [secret]\n[secret]\n"
    assert shown.err == "[secret]\nlogged [secret]\n"


def test_a_value_in_pieces_or_as_bytes_is_masked(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    remember(VALUE.encode())
    with masked_streams():
        print(VALUE[:3], end="")
        print(VALUE[3:], end="|")
        print("s3", end="")
        sys.stdout.flush()  # what waits for the rest of a value is written when it is asked for
        print("|", end="")
        sys.stdout.buffer.write(VALUE.encode())
        sys.stdout.buffer.write(b"\xff|")
        print("at the end: s3cr3t", end="")
    assert capsysbinary.readouterr().out == b"[secret]|s3|[secret]\xff|at the end: s3cr3t"


def test_reports_groups_questions_and_traces_hold_no_value(secret: str, alula_home: Path) -> None:
    seen: list[str] = []

    @alula.trace
    def log_in(password: str) -> int:
        seen.append(password)
        return len(password)

    @task(secret_requests=[Secret("password", group="database")], enable_deck=True)
    def look() -> int:
        value = os.environ["DATABASE_PASSWORD"]
        alula.current_context().default_deck.append(html.escape(value))
        with alula.group(f"with {value}"):
            return log_in(value)

    run = alula.run(look)
    assert run.result == len(VALUE)
    assert seen == [VALUE]
    assert secret not in repr(run.actions)
    reports = "".join(html.unescape(html.unescape(path.read_text())) for path in alula_home.rglob("report.html"))
    assert "[secret]" in reports
    assert secret not in reports


def test_results_of_traced_functions_with_a_value_are_refused(secret: str) -> None:
    @alula.trace
    def find() -> str:
        return os.environ["DATABASE_PASSWORD"]

    @task(secret_requests=[Secret("password", group="database")])
    def look() -> int:
        return len(find())

    run = alula.run(look)
    assert run.error is not None
    assert "holds the value of a secret" in run.error.message
    assert secret not in repr(run.actions)


def test_a_task_runs_without_an_optional_secret(secret: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOKEN_OF_MINE", raising=False)
    env = TaskEnvironment(
        "optional",
        secrets=[
            Secret("no-such-thing", as_env_var="TOKEN_OF_MINE", required=False),
            Secret(group="database", key="password", required=False),
        ],
    )

    @env.task
    def given() -> tuple[bool, int]:
        return "TOKEN_OF_MINE" in os.environ, len(os.environ["DATABASE_PASSWORD"])

    assert given() == (False, len(secret))


def test_a_task_can_mask_a_text_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALULA_SECRET_MASKED_HERE", "value-of-the-secret")

    @alula.task(secret_requests=["masked_here"])
    def shown() -> str:
        return alula.current_context().secrets.mask("it is value-of-the-secret")

    assert shown() == "it is [secret]"
