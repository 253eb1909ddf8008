"""The config of a Ray task: the cluster that it wants, or the address of one that exists."""

from __future__ import annotations

import copy
import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any

from alula import Resources
from alula_kernel.errors import UsageError

from .addresses import check_address


@dataclasses.dataclass(frozen=True)
class HeadNodeConfig:
    """The node that the others belong to.

    Attributes:
        ray_start_params: Parameters of ``ray start``, as ``{"num-cpus": "0"}``. On this machine ``num-cpus``, ``num-gpus``
            and ``resources`` count.
        pod_template: Pod template of Kubernetes as plain data; `requests` and `limits` are added to it.
        requests: Resources of the node.
        limits: Limits of the node.
    """

    ray_start_params: Mapping[str, str] | None = None
    pod_template: Mapping[str, Any] | None = None
    requests: Resources | None = None
    limits: Resources | None = None

    def __post_init__(self) -> None:
        _check_node("HeadNodeConfig", self)


@dataclasses.dataclass(frozen=True)
class WorkerNodeConfig:
    """A group of nodes that are alike.

    Attributes:
        group_name: Name of the group.
        replicas: How many nodes it has.
        min_replicas: Fewest nodes, if the cluster scales by itself; None for `replicas`.
        max_replicas: Most nodes, if the cluster scales by itself; None for `replicas`.
        ray_start_params: Parameters of ``ray start``, as for the head.
        pod_template: Pod template of Kubernetes as plain data; `requests` and `limits` are added to it.
        requests: Resources of each node.
        limits: Limits of each node.

    Raises:
        UsageError: A value is of no use.
    """

    group_name: str
    replicas: int = 1
    min_replicas: int | None = None
    max_replicas: int | None = None
    ray_start_params: Mapping[str, str] | None = None
    pod_template: Mapping[str, Any] | None = None
    requests: Resources | None = None
    limits: Resources | None = None

    def __post_init__(self) -> None:
        where = f"WorkerNodeConfig {self.group_name!r}"
        if not re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", str(self.group_name)):
            raise UsageError(
                f"group_name of WorkerNodeConfig must be lower-case letters, digits and dashes, found {self.group_name!r}"
            )
        least, most = self.least, self.most
        for name, value in (("replicas", self.replicas), ("min_replicas", least), ("max_replicas", most)):
            if not _is_count(value):
                raise UsageError(f"{name} of {where} must be a whole number from 0, found {value!r}")
        if not least <= self.replicas <= most:
            raise UsageError(
                f"{where} has replicas={self.replicas}, and they must lie between min_replicas={least} and max_replicas={most}"
            )
        _check_node(where, self)

    @property
    def least(self) -> int:
        """Fewest nodes."""
        return self.replicas if self.min_replicas is None else self.min_replicas

    @property
    def most(self) -> int:
        """Most nodes."""
        return self.replicas if self.max_replicas is None else self.max_replicas


@dataclasses.dataclass(frozen=True)
class RayJobConfig:
    """Give a task a Ray cluster: ``@alula.task(task_config=RayJobConfig([WorkerNodeConfig("worker", 2)]))``.

    Ray is connected when the function is called. Without an address it is a Ray of the attempt's own on this machine, with
    as many CPUs as all nodes together; it is shut down when the function returns.

    Attributes:
        worker_node_config: The groups of worker nodes.
        head_node_config: The head node.
        enable_autoscaling: Whether the cluster scales between the groups' fewest and most nodes by itself.
        autoscaler_options: Options of the autoscaler; they need `enable_autoscaling`.
        runtime_env: Runtime environment of the job, as Ray takes it: ``{"pip": [...], "env_vars": {...}}``. The code of the
            task needs no ``working_dir``: it is sent by itself.
        address: A cluster that exists, as ``http://host:8265``, ``ray://host:10001`` or ``host:6379``; None for what the
            environment variable ``ALULA_RAY_ADDRESS`` says.
        shutdown_after_job_finishes: Whether a cluster that was made for the job goes with it.
        ttl_seconds_after_finished: How long it stays after that.

    Raises:
        UsageError: A value is of no use, or two contradict each other.
    """

    worker_node_config: Sequence[WorkerNodeConfig] = ()
    head_node_config: HeadNodeConfig | None = None
    enable_autoscaling: bool = False
    autoscaler_options: Mapping[str, Any] | None = None
    runtime_env: Mapping[str, Any] | None = None
    address: str | None = None
    shutdown_after_job_finishes: bool = False
    ttl_seconds_after_finished: int | None = None

    def __post_init__(self) -> None:
        self._check_nodes()
        self._check_cluster()
        if self.runtime_env is not None:
            _check_plain("runtime_env of RayJobConfig", self.runtime_env)
            variables = self.runtime_env.get("env_vars", {})
            if not isinstance(variables, Mapping) or not all(isinstance(v, str) for v in variables.values()):
                raise UsageError(
                    "env_vars in the runtime_env of RayJobConfig must be texts",
                    hint='Write numbers as texts: {"env_vars": {"THREADS": "4"}}.',
                )

    def _check_nodes(self) -> None:
        groups = self.worker_node_config
        if isinstance(groups, (str, Mapping)) or not isinstance(groups, Sequence):
            raise UsageError(
                f"worker_node_config of RayJobConfig must be a list of WorkerNodeConfig, found {type(groups).__qualname__}"
            )
        for group in groups:
            if not isinstance(group, WorkerNodeConfig):
                raise UsageError(
                    f"worker_node_config of RayJobConfig must list WorkerNodeConfig, found {type(group).__qualname__}"
                )
        names = [group.group_name for group in groups]
        for name in names:
            if names.count(name) > 1:
                raise UsageError(f"two groups of worker nodes are called {name!r}", hint="Give each a name of its own.")
        if self.head_node_config is not None and not isinstance(self.head_node_config, HeadNodeConfig):
            raise UsageError(
                f"head_node_config of RayJobConfig must be a HeadNodeConfig, found {type(self.head_node_config).__qualname__}"
            )

    def _check_cluster(self) -> None:
        if self.address is not None:
            check_address(self.address, "address of RayJobConfig")
            if self.shutdown_after_job_finishes or self.ttl_seconds_after_finished is not None:
                raise UsageError(
                    f"RayJobConfig names the cluster {self.address}, which is not the job's to shut down",
                    hint="Leave out shutdown_after_job_finishes and ttl_seconds_after_finished, or the address.",
                )
        if self.autoscaler_options is not None:
            if not self.enable_autoscaling:
                raise UsageError(
                    "RayJobConfig has autoscaler_options, and the cluster does not scale",
                    hint="Set enable_autoscaling=True, or leave them out.",
                )
            _check_plain("autoscaler_options of RayJobConfig", self.autoscaler_options)
        seconds = self.ttl_seconds_after_finished
        if seconds is None:
            return
        if not _is_count(seconds):
            raise UsageError(
                f"ttl_seconds_after_finished of RayJobConfig must be a whole number from 0, found {seconds!r}"
            )
        if not self.shutdown_after_job_finishes:
            raise UsageError(
                "RayJobConfig has ttl_seconds_after_finished, and its cluster is not shut down after the job",
                hint="Set shutdown_after_job_finishes=True.",
            )

    def to_custom(self) -> dict[str, Any]:
        """Return it as plain data, for `TaskSpec.custom`; fields that say nothing are left out."""
        custom: dict[str, Any] = {"workers": [_plain_node(group) for group in self.worker_node_config]}
        if self.head_node_config is not None:
            custom["head"] = _plain_node(self.head_node_config)
        for name in ("autoscaler_options", "runtime_env"):
            value = getattr(self, name)
            if value is not None:
                custom[name] = copy.deepcopy(dict(value))
        for name in ("enable_autoscaling", "shutdown_after_job_finishes", "address", "ttl_seconds_after_finished"):
            value = getattr(self, name)
            if value:
                custom[name] = value
        return custom


RayJob = RayJobConfig


def _check_node(where: str, node: HeadNodeConfig | WorkerNodeConfig) -> None:
    parameters: Any = node.ray_start_params
    if parameters is not None and not (
        isinstance(parameters, Mapping) and all(isinstance(value, str) for value in parameters.values())
    ):
        raise UsageError(
            f"ray_start_params of {where} must map names to texts, found {parameters!r}",
            hint='Write {"num-cpus": "2"}.',
        )
    if node.pod_template is not None:
        _check_plain(f"pod_template of {where}", node.pod_template)
    for name in ("requests", "limits"):
        value = getattr(node, name)
        if value is not None and not isinstance(value, Resources):
            raise UsageError(f"{name} of {where} must be alula.Resources, found {type(value).__qualname__}")


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _check_plain(what: str, value: Any) -> None:
    """Refuse what is not a dict that JSON can hold."""
    import json

    if not isinstance(value, Mapping):
        raise UsageError(f"{what} must be a dict, found {type(value).__qualname__}")
    try:
        json.dumps(dict(value))
    except (TypeError, ValueError) as problem:
        raise UsageError(f"{what} must be plain data (texts, numbers, lists, dicts): {problem}") from None


def _plain_node(node: HeadNodeConfig | WorkerNodeConfig) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for field in dataclasses.fields(node):
        value = getattr(node, field.name)
        if isinstance(value, Resources):
            side = 0 if field.name == "requests" else 1
            value = {name: pair[side] for name, pair in value.quantities().items()}
        elif isinstance(value, Mapping):
            value = copy.deepcopy(dict(value))
        if value is not None:
            found[field.name] = value
    return found
