"""``flyteplugins.hydra``: runs of a task with configurations that Hydra composes, one or a sweep of them."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from hydra import initialize, initialize_config_dir
from hydra._internal.core_plugins.basic_launcher import BasicLauncher  # noqa: PLC2701 - it has no public one
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import DictConfig, OmegaConf

import alula
from alula.errors import UsageError

from .runs import Run, with_runcontext


class HydraRun:
    """A run in mode ``remote``, whose value a sweeper can read.

    Args:
        run: The run.

    Attributes:
        run: The run.
        value: What the task returned; None if it failed.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        outputs: tuple[Any, ...] = run.outputs() if run.phase == "succeeded" else ()
        self.value = outputs[0] if len(outputs) == 1 else tuple(outputs) or None

    def __float__(self) -> float:
        return float(self.value)  # type: ignore[arg-type]  # one that is no number says so

    def __iter__(self) -> Iterator[Any]:
        return iter(self.value if isinstance(self.value, (list, tuple)) else (self.value,))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.run, name)

    def __repr__(self) -> str:
        return f"HydraRun(url={self.url!r}, value={self.value!r})"


class FlyteLauncher(BasicLauncher):
    """Hydra's launcher ``flyte``: one job after the other, as all runs are on this machine.

    Args:
        mode: ``remote`` or ``local``; in the first, the run of a job is given to the sweeper as a `HydraRun`.
        wait: Not looked at.
        wait_max_workers: Not looked at.
    """

    def __init__(self, mode: str = "remote", wait: bool = True, wait_max_workers: int | None = 32) -> None:
        super().__init__()
        self.mode = mode

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run the jobs."""
        ended: Sequence[JobReturn] = super().launch(job_overrides, initial_job_idx)
        for job in ended:
            if self.mode == "remote" and job.status is JobStatus.COMPLETED and isinstance(job.return_value, Run):
                job.return_value = HydraRun(job.return_value)
        return ended


_LAUNCHERS = "hydra_plugins.hydra_flyte_launcher"


@dataclass
class FlyteLauncherConfig:
    """Config of the launcher."""

    _target_: str = f"{_LAUNCHERS}.FlyteLauncher"
    mode: str = "remote"
    wait: bool = True
    wait_max_workers: int | None = 32


def _register() -> None:
    """Let Hydra find the launcher; it takes classes from modules of ``hydra_plugins`` only, of which there may be none."""
    parent, _, name = _LAUNCHERS.partition(".")
    try:
        package = importlib.import_module(parent)
    except ModuleNotFoundError:
        package = sys.modules[parent] = ModuleType(parent)
        package.__path__ = []
    module = ModuleType(_LAUNCHERS)
    setattr(package, name, module)
    FlyteLauncher.__module__ = _LAUNCHERS
    vars(module).update(FlyteLauncher=FlyteLauncher, FlyteLauncherConfig=FlyteLauncherConfig)
    sys.modules[_LAUNCHERS] = module
    ConfigStore.instance().store("flyte", FlyteLauncherConfig, group="hydra/launcher")
    Plugins.instance().register(FlyteLauncher)


_register()


def apply_task_env(
    task: Any, cfg: DictConfig | Mapping[str, Any], *, task_env_key: str = "task_env", task_name: str | None = None
) -> Any:
    """Return a task with the settings that a configuration has for it.

    Args:
        task: The task.
        cfg: The configuration.
        task_env_key: What the settings of tasks are under, by name of the task.
        task_name: The name; by default the task's.

    Raises:
        UsageError: What is there is no mapping, or has the name of a container and no image for it.
    """
    of_tasks = _mapping(cfg.get(task_env_key), task_env_key)
    name = task_name or _name(task)
    settings = _mapping(of_tasks.get(name), f"{task_env_key}.{name}")
    if "primary_container_name" in settings and "image" not in settings:
        raise UsageError(
            f"{task_env_key}.{name} has a primary_container_name and no image",
            hint="Add the image that this container runs, or leave the name out.",
        )
    # Nothing on this machine has a use for the image of a container.
    settings = {key: value for key, value in settings.items() if key not in ("image", "primary_container_name")}
    if isinstance(settings.get("resources"), dict):
        settings["resources"] = alula.Resources(**settings["resources"])
    return task.override(**settings) if settings else task


def _mapping(found: Any, where: str) -> dict[str, Any]:
    plain: Any = OmegaConf.to_container(found, resolve=True) if OmegaConf.is_config(found) else found
    if not isinstance(plain or {}, Mapping):
        raise UsageError(
            f"{where} must be a mapping, found a {type(plain).__qualname__}",
            hint="Write settings by name under it, as resources.",
        )
    return dict(plain or {})


def _name(task: Any) -> str:
    return str(task.shown_name or task.name.rpartition(".")[2])


def hydra_run(
    task: Any,
    *,
    config_path: str | Path | None = None,
    config_name: str = "config",
    overrides: Sequence[str] = (),
    mode: str = "remote",
    run_options: Mapping[str, Any] | None = None,
    task_env_key: str = "task_env",
    wait: bool = True,
    wait_max_workers: int | None = 32,
    **inputs: Any,
) -> Any:
    """Run a task with a configuration.

    Args:
        task: The task; its first input of OmegaConf's class ``DictConfig`` is the configuration.
        config_path: Folder of configurations; None for those that are registered.
        config_name: The configuration.
        overrides: Changes of it, as Hydra has them.
        mode: ``"remote"`` or ``"local"``.
        run_options: Options of ``flyte.with_runcontext``.
        task_env_key: What the settings of tasks are under, for `apply_task_env`.
        wait: Not looked at: the run has ended.
        wait_max_workers: Not looked at.
        inputs: The other inputs; those that the task does not have are left out.

    Returns:
        The run; in mode ``remote`` as a `HydraRun`.
    """
    return _runs(task, False, config_path, config_name, overrides or (), mode, run_options, task_env_key, inputs)[0]


def hydra_sweep(
    task: Any,
    *,
    config_path: str | Path | None = None,
    config_name: str = "config",
    overrides: Sequence[str] = (),
    mode: str = "remote",
    run_options: Mapping[str, Any] | None = None,
    task_env_key: str = "task_env",
    wait: bool = True,
    wait_max_workers: int | None = 32,
    **inputs: Any,
) -> list[Any]:
    """Run a task with each configuration of a sweep; the arguments are those of `hydra_run`.

    Returns:
        The runs, in order.
    """
    given = ["hydra/launcher=flyte", f"hydra.launcher.mode={mode}", *(overrides or ())]
    return _runs(task, True, config_path, config_name, given, mode, run_options, task_env_key, inputs)


def _runs(
    task: Any,
    sweep: bool,
    config_path: str | Path | None,
    config_name: str,
    overrides: Sequence[str],
    mode: str,
    run_options: Mapping[str, Any] | None,
    task_env_key: str,
    inputs: Mapping[str, Any],
) -> list[Any]:
    declared = task.python_interface.inputs
    configs = [name for name, kind in declared.items() if isinstance(kind, type) and issubclass(kind, DictConfig)]
    given = {name: value for name, value in inputs.items() if name in declared and name not in configs}
    runner = with_runcontext(mode=mode, **(run_options or {}))
    ended: list[Any] = []

    def entry(cfg: DictConfig) -> Any:
        chosen = apply_task_env(task, cfg, task_env_key=task_env_key, task_name=_name(task))
        run = runner.run(chosen, **{(configs or ["cfg"])[0]: cfg}, **given)
        ended.append(HydraRun(run) if mode == "remote" else run)
        return run

    folder = None if config_path is None else str(Path(config_path).absolute())
    name = _name(task)
    with (
        initialize(None, job_name=name, version_base=None)
        if folder is None
        else initialize_config_dir(folder, job_name=name, version_base=None)
    ):
        hydra = GlobalHydra.instance().hydra
        assert hydra is not None
        compose: Callable[..., Any] = hydra.multirun if sweep else hydra.run
        compose(config_name=config_name, task_function=entry, overrides=list(overrides))
    return ended
