"""``flyteplugins.hydra``: runs with configurations that Hydra composes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

TASKS = """
    import flyte
    from omegaconf import DictConfig
    from flyteplugins.hydra import apply_task_env, hydra_run, hydra_sweep

    env = flyte.TaskEnvironment("configured")

    @env.task
    async def cost(cfg: DictConfig, offset: int = 0) -> float:
        return cfg.rate.value * cfg.steps + offset
"""


@pytest.fixture
def configs(write: Callable[[str, str], Path]) -> None:
    """Write a configuration with a group."""
    write("conf/main.yaml", "defaults:\n  - rate: slow\n  - _self_\nsteps: 10\n")
    write("conf/rate/slow.yaml", "value: 0.5\n")
    write("conf/rate/fast.yaml", "value: 2.0\n")
    write("conf/task_env/more.yaml", "cost:\n  resources:\n    memory: 1Mi\n  retries: 2\n")


pytestmark = [pytest.mark.usefixtures("configs"), pytest.mark.one_python]


def test_one_run_and_sweeps(run: Callable[[str], str]) -> None:
    out = run(
        TASKS
        + """
    here = dict(config_path="conf", config_name="main")
    print(hydra_run(cost, **here, mode="local", offset=1, unknown=3).outputs())
    remote = hydra_run(cost, **here, overrides=["rate=fast", "steps=3", "hydra.run.dir=out"])
    print(remote.value, float(remote), list(remote), remote.url == f"alula:{remote.name}")
    print([one.value for one in hydra_sweep(cost, **here, overrides=["steps=1,2", "rate=slow,fast"])])
    print([one.outputs()[0] for one in hydra_sweep(cost, **here, mode="local", overrides=["steps=range(1,3)"])])
    """
    )
    assert out.splitlines()[0] == "ActionOutputs(o0=6.0)"
    assert "6.0 6.0 [6.0] True" in out
    assert "[0.5, 2.0, 1.0, 4.0]" in out
    assert "[0.5, 1.0]" in out


def test_settings_of_tasks_and_what_is_wrong_with_them(run: Callable[[str], str]) -> None:
    out = run(
        TASKS
        + """
    import alula
    from omegaconf import OmegaConf

    changed = apply_task_env(cost, {"task_env": {"cost": {"resources": {"cpu": "1"}, "image": "a", "retries": 3}}})
    print(changed is cost, apply_task_env(cost, OmegaConf.create({"other": 1})) is cost)
    for wrong in ({"cost": {"primary_container_name": "p"}}, {"cost": 3}):
        try:
            apply_task_env(cost, OmegaConf.create({"task_env": wrong}))
        except alula.errors.UsageError as problem:
            print(problem)
    print(hydra_run(cost, config_path="conf", config_name="main", overrides=["+task_env=more"]).value)
    """
    )
    assert "False True" in out
    assert "task_env.cost has a primary_container_name and no image" in out
    assert "task_env.cost must be a mapping, found a int" in out
    assert out.rstrip().endswith("5.0")


def test_failures_are_raised_in_local_mode_and_by_sweeps(run: Callable[[str], str]) -> None:
    out = run(
        TASKS
        + """
    @env.task
    async def fails(cfg: DictConfig) -> float:
        raise LookupError(f"{cfg.steps} steps")

    for call in (hydra_run, hydra_sweep):
        try:
            call(fails, config_path="conf", config_name="main", mode="local")
        except LookupError as problem:
            print("raised", problem)
    failed = hydra_run(fails, config_path="conf", config_name="main")
    print(failed.value, failed.phase)
    """
    )
    assert out.count("raised") == 2
    assert "None ActionPhase.FAILED" in out


def test_the_launcher_of_scripts(write: Callable[[str, str], Path], python: Callable[..., object]) -> None:
    write(
        "train.py",
        TASKS.replace("\n    ", "\n")
        + """
import hydra

@hydra.main(version_base=None, config_path="conf", config_name="main")
def main(cfg):
    done = flyte.run(apply_task_env(cost, cfg), cfg=cfg)
    print("cost", done.outputs()[0])
    return done

main()
""",
    )
    answer = python("-m", "alula_flyte", "train.py", "--multirun", "hydra/launcher=flyte", "steps=1,4")
    assert answer.code == 0, answer.err  # type: ignore[attr-defined]
    assert "cost 0.5" in answer.out  # type: ignore[attr-defined]
    assert "cost 2.0" in answer.out  # type: ignore[attr-defined]
