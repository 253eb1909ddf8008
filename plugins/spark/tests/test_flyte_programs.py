"""Programs written for Flyte find their Spark session, in both generations."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

_FLYTE_1 = """
import flytekit
from flytekit import task, workflow
from flytekitplugins.spark import Spark

def square(x):
    return x * x

@task(task_config=Spark(spark_conf={"spark.default.parallelism": "2"}))
def squares(count: int) -> int:
    session = flytekit.current_context().spark_session
    return session.sparkContext.parallelize(range(count)).map(square).sum()

@workflow
def flow(count: int = 4) -> int:
    return squares(count=count)

if __name__ == "__main__":
    print("sum", flow())
"""

_FLYTE_2 = """
import flyte
from flyteplugins.spark import Spark

plain = flyte.TaskEnvironment(name="plain")
spark = flyte.TaskEnvironment(name="spark", plugin_config=Spark(spark_conf={"spark.app.name": "own"}), depends_on=[plain])

@plain.task
async def add_one(x: int) -> int:
    return x + 1

@spark.task
async def total(count: int) -> int:
    session = flyte.ctx().data["spark_session"]
    assert session.sparkContext.appName == "own"
    return await add_one(session.range(count).count())

if __name__ == "__main__":
    flyte.init_from_config()
    run = flyte.run(total, count=4)
    run.wait()
    print("sum", run.outputs()[0])
"""


def printed(folder: Path, program: str) -> str:
    (folder / "program.py").write_text(program)
    done = subprocess.run(
        [sys.executable, "-m", "alula_flyte", "program.py"],
        cwd=folder,
        env={**os.environ, "ALULA_HOME": str(folder / "home")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_flyte_1(tmp_path: Path) -> None:
    assert printed(tmp_path, _FLYTE_1).splitlines()[-1] == "sum 14"


def test_flyte_2(tmp_path: Path) -> None:
    assert printed(tmp_path, _FLYTE_2).splitlines()[-1] == "sum 5"
