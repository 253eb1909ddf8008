"""Where queries run: connections and their settings."""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from alula_kernel.errors import UsageError

if TYPE_CHECKING:
    import duckdb

_SETTING = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


_DEFAULTS = {
    # A table that does not exist is not looked for among the variables of whoever is on the call stack.
    "python_enable_replacements": False,
    # Nothing is drawn over what the command shows.
    "enable_progress_bar": False,
}


class DuckDBProvider(enum.Enum):
    """Where the queries of a task run.

    Attributes:
        LOCAL: In a database in memory that lives as long as the attempt.
        MOTHERDUCK: In MotherDuck; the token is taken from the environment variable ``motherduck_token``.
    """

    LOCAL = "local"
    MOTHERDUCK = "motherduck"


Provider = DuckDBProvider | Callable[[], "duckdb.DuckDBPyConnection"]
"""A provider, or a function that opens a connection. The task closes the connection."""


def connect(provider: Provider, settings: Mapping[str, Any]) -> duckdb.DuckDBPyConnection:
    """Open a connection with settings.

    Args:
        provider: Where to.
        settings: DuckDB's settings by name.

    Raises:
        UsageError: The provider gave something else than a connection, or DuckDB refuses a setting.
    """
    import duckdb

    if provider is DuckDBProvider.LOCAL:
        connection = duckdb.connect(":memory:")
    elif provider is DuckDBProvider.MOTHERDUCK:
        connection = duckdb.connect("md:")
    else:
        connection = provider()
        if not isinstance(connection, duckdb.DuckDBPyConnection):
            raise UsageError(f"the provider must return a DuckDB connection, found {type(connection).__qualname__}")
    for name, value in {**_DEFAULTS, **settings}.items():
        try:
            connection.execute(f"SET {name} = {_setting_text(value)}")
        except duckdb.Error as error:
            connection.close()
            raise UsageError(f"DuckDB refuses the setting {name}={value!r}: {error}") from error
    return connection


def check_settings(settings: Mapping[str, Any]) -> None:
    """Refuse settings that cannot be written down.

    Raises:
        UsageError: A name is no name of a setting, or a value is no boolean, number or text.
    """
    for name, value in settings.items():
        if not _SETTING.fullmatch(name):
            raise UsageError(f"{name!r} is no name of a DuckDB setting")
        _setting_text(value)


def _setting_text(value: Any) -> str:
    """Write a value for SET, which takes no parameters."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, str):
        return quoted_text(value)
    raise UsageError(f"a DuckDB setting is a boolean, a number or a text, found {type(value).__qualname__} {value!r}")


def quoted_text(text: str) -> str:
    """Write a text as SQL."""
    return "'" + text.replace("'", "''") + "'"


def quoted_name(name: str) -> str:
    """Write a name of a table or column as SQL."""
    return '"' + name.replace('"', '""') + '"'
