"""Plugins of Flyte 1 whose tasks run here with the real library: configs of jobs, profiles, editors, ONNX."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.one_python

Run = Callable[..., str]


def test_tasks_of_services_run_here(run: Run) -> None:
    out = run("""
        from flytekit import PythonFunctionTask, Resources, dynamic, map_task, task, workflow
        from flytekitplugins.awsbatch import AWSBatchConfig
        from flytekitplugins.dask import Dask, Scheduler, WorkerGroup
        from flytekitplugins.kfpytorch import CleanPodPolicy, Master, PyTorch, RestartPolicy, RunPolicy, Worker
        from flytekitplugins.kftensorflow import PS, Chief, TfJob
        from flytekitplugins.kftensorflow import Worker as TfWorker
        from flytekitplugins.mmcloud import MMCloudConfig
        from flytekitplugins.perian_job import PerianConfig

        @task(task_config=AWSBatchConfig(parameters={"codec": "mp4"}, platformCapabilities="EC2", propagateTags=True))
        def batch(x: int) -> int:
            return x + 1

        @task(task_config=Dask(scheduler=Scheduler(), workers=WorkerGroup(number_of_workers=10, limits=Resources(cpu="4"))))
        def dask(x: int) -> int:
            return x + 2

        @task(task_config=MMCloudConfig(submit_extra="--migratePolicy [enable=true]"), requests=Resources(cpu="1"))
        def cloud(x: int) -> int:
            return x + 3

        @task(task_config=PerianConfig(accelerators=1, accelerator_type="A100"))
        def perian(x: int) -> int:
            return x + 4

        policy = RunPolicy(clean_pod_policy=CleanPodPolicy.ALL)
        replicas = Worker(replicas=2, restart_policy=RestartPolicy.FAILURE)

        @task(task_config=PyTorch(master=Master(), worker=replicas, run_policy=policy))
        def torch(x: int) -> int:
            return x + 5

        @task(task_config=TfJob(worker=TfWorker(replicas=1), ps=PS(replicas=1), chief=Chief(replicas=1)))
        def tensorflow(x: int) -> int:
            return x + 6

        @dynamic(task_config=AWSBatchConfig())
        def several(x: int) -> int:
            return batch(x=dask(x=x))

        @workflow
        def flow(x: int) -> list[int]:
            return [batch(x=x), dask(x=x), cloud(x=x), perian(x=x), torch(x=x), tensorflow(x=x), several(x=x)]

        print(flow(x=0), map_task(batch)(x=[1, 2]))
    """)
    assert out.splitlines() == ["[1, 2, 3, 4, 5, 6, 3] [2, 3]"]


def test_editors_are_left_out_here(run: Run) -> None:
    out = run("""
        from flytekit import task, workflow
        from flytekitplugins.flyteinteractive import VIM_CONFIG, VIM_EXTENSION, VscodeConfig, jupyter, vscode

        config = VscodeConfig()
        config.add_extensions([VIM_EXTENSION, "another"])
        config.add_extensions("third")
        print(len(config.extension_remote_paths), VIM_CONFIG.extension_remote_paths == [VIM_EXTENSION])

        @task
        @vscode
        def plain() -> int:
            return 1

        @task
        @vscode(max_idle_seconds=10, config=config, run_task_first=True)
        def idle() -> int:
            return 2

        @task
        @jupyter(port=8888)
        def notebook() -> int:
            return 3

        @workflow
        def flow() -> list[int]:
            return [plain(), idle(), notebook()]

        print(flow())
    """)
    assert out.splitlines() == ["3 True", "[1, 2, 3]"]


def test_memory_is_profiled_into_the_deck(run: Run, tmp_path: Path) -> None:
    out = run("""
        import os
        from flytekit import task
        from flytekitplugins.memray import memray_profiling

        @task(enable_deck=True)
        @memray_profiling(memray_html_reporter="table", trace_python_allocators=True)
        def table(n: int) -> int:
            return len([bytes(1_000) for _ in range(n)])

        @task(enable_deck=True)
        @memray_profiling
        def flamegraph(n: int) -> int:
            return n

        import alula
        for each in (table, flamegraph):
            done = alula.run(each, n=1_000)
            page = open(done.actions[0].report.removeprefix("file://")).read()
            print(done.result, f"Memray {each.name.rpartition('.')[2].capitalize()}" in page, "memray" in page)
        for wrong in ({"memray_html_reporter": "chart"}, {"memray_reporter_args": ["leaks"]}):
            try:
                memray_profiling(**wrong)
            except ValueError as problem:
                print(problem)
        print(os.listdir())
    """)
    lines = out.splitlines()
    assert lines[:4] == [
        "1000 True True",
        "1000 True True",
        "memray_html_reporter must be 'flamegraph' or 'table', found 'chart'",
        "memray_reporter_args takes options of `memray flamegraph`, found 'leaks'",
    ]
    assert "memray" not in lines[4]


def test_models_of_scikit_learn_become_onnx_files(run: Run) -> None:
    out = run("""
        from typing import Annotated, NamedTuple
        import onnx
        from flytekit import task, workflow
        from flytekit.types.file import ONNXFile
        from flytekitplugins.onnxscikitlearn import ScikitLearn2ONNX, ScikitLearn2ONNXConfig
        from skl2onnx.common.data_types import FloatTensorType
        from sklearn.linear_model import LinearRegression

        Trained = NamedTuple("Trained", [
            ("model", Annotated[ScikitLearn2ONNX, ScikitLearn2ONNXConfig(
                initial_types=[("numbers", FloatTensorType([None, 1]))], target_opset=12, doc_string="doubles"
            )]),
            ("rows", int),
        ])

        @task
        def train() -> Trained:
            return Trained(ScikitLearn2ONNX(LinearRegression().fit([[1.0], [2.0]], [2.0, 4.0])), 2)

        @task
        def look(model: ONNXFile) -> list[str]:
            found = onnx.load(model.download())
            onnx.checker.check_model(found)
            return [found.graph.input[0].name, found.doc_string, str(found.opset_import[0].version)]

        @workflow
        def flow() -> list[str]:
            return look(model=train().model)

        print(flow())
        try:
            @task
            def bare() -> ScikitLearn2ONNX:
                return ScikitLearn2ONNX(None)

            bare()
        except Exception as problem:
            print(str(problem).splitlines()[0])
    """)
    lines = out.splitlines()
    assert lines[0].startswith("['numbers', 'doubles', ")
    assert "ScikitLearn2ONNX needs a ScikitLearn2ONNXConfig beside it" in lines[1]


@pytest.mark.parametrize("name", ["alula_flyte.flyte1.job_configs", "alula_flyte.flyte1.interactive"])
def test_configs_need_no_library(run: Run, name: str) -> None:
    out = run(f"""
        import sys
        __import__({name!r})
        print([module for module in ("dask", "torch", "tensorflow", "memray") if module in sys.modules])
    """)
    assert out.splitlines() == ["[]"]


def test_queries_on_any_database(run: Run, tmp_path: Path) -> None:
    """Rows, a statement without rows, inputs that are bound and not pasted, a secret argument of the driver."""
    with contextlib.closing(sqlite3.connect(tmp_path / "tracks.db")) as database:
        database.execute("create table tracks (id bigint, name text)")
        database.execute("insert into tracks values (0, 'Sue'), (1, 'L'), (2, 'M'), (3, 'Ji')")
        database.commit()
    out = run(
        f"""
        import os
        import pandas
        from flytekit import Secret, kwtypes, task, workflow
        from flytekitplugins.sqlalchemy import SQLAlchemyConfig, SQLAlchemyTask

        os.environ["_FSEC_DB_LEVEL"] = "IMMEDIATE"
        config = SQLAlchemyConfig(
            uri="sqlite:///{tmp_path}/tracks.db",
            connect_args={{"check_same_thread": False}},
            secret_connect_args={{"isolation_level": Secret(group="db", key="level")}},
        )
        add = SQLAlchemyTask(
            "add",
            query_template="insert into tracks values (4, {{{{ .inputs.name }}}})",
            inputs=kwtypes(name=str, unused=int),
            output_schema_type=None,
            task_config=config,
            secret_requests=[Secret(group="db", key="level")],
        )
        select = SQLAlchemyTask(
            "select",
            query_template="select id, name from tracks where id >= {{{{ .inputs.least }}}} order by id",
            inputs=kwtypes(least=int),
            task_config=config,
            secret_requests=[Secret(group="db", key="level")],
        )

        @task
        def names(frame: pandas.DataFrame) -> list[str]:
            return list(frame.name)

        @workflow
        def flow(name: str, least: int) -> list[str]:
            added = add(name=name, unused=1)
            selected = select(least=least)
            added >> selected
            return names(frame=selected)

        print(flow(name="x'); drop table tracks; --", least=3))
        """
    )
    assert out == "['Ji', \"x'); drop table tracks; --\"]\n"
