"""Ray as the code of an attempt finds it: the cluster of its job, or one of its own on this machine."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator, Mapping
from typing import Any

from alula_kernel.errors import AlulaError, NonRecoverableError
from alula_kernel.processes import ProcessId
from alula_kernel.quantities import parse_quantity

IN_JOB = "ALULA_RAY_JOB"
"""Environment variable that tells the worker of a job on a cluster that it is one."""

QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    # A reference that is pickled into an output would outlive what it refers to.
    "RAY_allow_out_of_band_object_ref_serialization": "0",
}
"""Environment of every process that uses Ray for an attempt."""

_TOKEN_BYTES = 32
_LONGEST_FOLDER = 40
"""Longest temporary folder, in characters: the paths of Ray's sockets below it must stay under 108."""


def loopback_environment(home: str) -> dict[str, str]:
    """Return the environment in which a Ray of this machine is for its user only.

    It listens on the loopback interface and, since Ray 2.52, wants a token. A user who has chosen a way to authenticate
    keeps it.

    Args:
        home: Folder of this machine for what outlives the process; the token is in it.
    """
    found = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}  # the name of a switch that does the former everywhere
    if "RAY_AUTH_MODE" in os.environ:
        return found
    path = os.path.join(home, "ray", "token")
    if not os.path.exists(path):
        import secrets

        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        mine = f"{path}.{ProcessId.own()}"
        with open(os.open(mine, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as file:
            file.write(secrets.token_hex(_TOKEN_BYTES))
        with contextlib.suppress(FileExistsError):  # another process was quicker
            os.link(mine, path)
        os.unlink(mine)
    return {**found, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": path}


class RayStartError(AlulaError):
    """There is no Ray for the attempt: a failure of the platform, not of the code."""


@contextlib.contextmanager
def connected() -> Iterator[None]:
    """Have Ray connected while the block runs, as the config of the task says."""
    import logging

    import ray

    from alula import current_context

    if ray.is_initialized():  # by the attempt that this one runs in
        yield
        return
    custom = current_context().attempt.task.custom
    settings: dict[str, Any] = {"logging_level": logging.WARNING}
    with contextlib.ExitStack() as stack:
        with _own_signals():
            if os.environ.get(IN_JOB):  # what Ray sets for a job says where, and with which runtime environment
                ray.init(**settings)
            else:
                settings |= {"runtime_env": custom.get("runtime_env"), **local_resources(custom)}
                start_local(stack.enter_context(local_folder()), **settings)
        stack.callback(ray.shutdown)
        yield


def start_local(folder: str, **settings: Any) -> Any:
    """Start a Ray of this process and connect to it.

    Args:
        folder: Its temporary folder.
        settings: What else ``ray.init`` takes.

    Returns:
        What ``ray.init`` returns.

    Raises:
        RayStartError: It did not start.
    """
    import ray

    for last in (False, True):
        try:
            return ray.init("local", include_dashboard=False, _temp_dir=folder, **settings)
        except Exception as problem:  # Ray waits for half a minute, which is too short where the machine is busy
            ray.shutdown()
            if last:
                raise RayStartError(f"Ray did not start on this machine: {problem}") from problem
    return None


@contextlib.contextmanager
def _own_signals() -> Iterator[None]:
    """Undo what the block does to SIGTERM: Ray would turn the end of an attempt into an exception of the user's code."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, handler)


@contextlib.contextmanager
def local_folder() -> Iterator[str]:
    """Make a short temporary folder for a Ray of this process, and remove it afterwards.

    Folders that processes left which could not do that are removed too.
    """
    parent = tempfile.gettempdir()
    if len(parent) > _LONGEST_FOLDER:
        parent = "/tmp"
    for name in os.listdir(parent):
        owner = ProcessId.parse(name.removeprefix("alray-")) if name.startswith("alray-") else None
        if owner is not None and not owner.alive:
            shutil.rmtree(os.path.join(parent, name), ignore_errors=True)
    folder = os.path.join(parent, f"alray-{ProcessId.own()}")
    os.makedirs(folder, mode=0o700, exist_ok=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def local_resources(custom: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a Ray on this machine is to have, so that code written for the cluster finds room: the sum of all nodes.

    CPUs are a number that Ray counts with, so there may be more than the machine has; GPUs are those of the machine.
    """
    nodes = [(custom.get("head", {}), 1), *((group, group["replicas"]) for group in custom.get("workers", []))]
    cpus = 0.0
    own: dict[str, float] = {}
    for node, count in nodes:
        parameters = node.get("ray_start_params", {})
        asked = {**node.get("limits", {}), **node.get("requests", {})}.get("cpu")
        if "num-cpus" in parameters:
            cpus += count * float(parameters["num-cpus"])
        elif asked is not None:
            cpus += count * parse_quantity(asked)
        elif "replicas" in node:
            cpus += count
        for name, amount in _custom_resources(parameters).items():
            own[name] = own.get(name, 0.0) + count * amount
    found: dict[str, Any] = {"num_cpus": max(int(cpus), 1)} if custom.get("workers") or cpus else {}
    if own:
        found["resources"] = own
    return found


def _custom_resources(parameters: Mapping[str, str]) -> dict[str, float]:
    # On a command line the JSON is often quoted once more.
    text = parameters.get("resources", "").strip("'\"").replace('\\"', '"')
    return {name: float(amount) for name, amount in json.loads(text).items()} if text else {}


def refuse_references(result: Any, title: str) -> Any:
    """Return what a function returned, unless it holds references to Ray's objects.

    Raises:
        NonRecoverableError: It does.
    """
    import ray

    waiting, looked_at = [result], 0
    while waiting and looked_at < 10_000:
        value = waiting.pop()
        looked_at += 1
        if isinstance(value, ray.ObjectRef):
            raise NonRecoverableError(
                f"{title} returned a ray.ObjectRef, and what it refers to is gone when the attempt has ended; "
                "return ray.get(reference)"
            )
        if isinstance(value, (list, tuple, set)):
            waiting.extend(value)
        elif isinstance(value, dict):
            waiting.extend(value.values())
    return result
