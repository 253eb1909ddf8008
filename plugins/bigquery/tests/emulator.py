"""Runs the emulator bqemulator; executed by the Python of its own environment: ``python emulator.py HOME PORT_FILE``.

The emulator wants DuckDB's spatial extension in the home folder. The package ``duckdb-extension-spatial`` brings it, and a
link to it is all that has to be there.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path


def link_extension(home: Path) -> None:
    """Put the extension where DuckDB looks for it."""
    import duckdb
    import duckdb_extension_spatial

    (source,) = Path(duckdb_extension_spatial.__file__).parent.glob("extensions/*/spatial.duckdb_extension")
    platform = duckdb.sql("PRAGMA platform").fetchall()[0][0]
    folder = home / ".duckdb" / "extensions" / source.parent.name / platform
    folder.mkdir(parents=True, exist_ok=True)
    (folder / source.name).symlink_to(source)


async def serve(port_file: Path) -> None:
    """Serve until this process is ended, and write down the port."""
    from bqemulator.config import Settings
    from bqemulator.server import EmulatorServer

    server = EmulatorServer(Settings(rest_port=0, grpc_port=0))
    await server.start()
    port_file.write_text(str(server.rest_port))
    await asyncio.Event().wait()


if __name__ == "__main__":
    home = Path(sys.argv[1])
    link_extension(home)
    os.environ["HOME"] = str(home)
    asyncio.run(serve(Path(sys.argv[2])))
