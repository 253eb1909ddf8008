"""What a config refuses, and what becomes of one on this machine."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

import alula
from alula import Image, Resources
from alula.errors import UsageError
from alula_kernel.contracts import SYSTEM_FAILURE, USER_FAILURE, Outcome
from alula_kernel.errors import ActionError
from alula_kernel.specs import EntityId, Interface, ResourceSpec, TaskSpec
from alula_ray import HeadNodeConfig, RayJob, RayJobConfig, WorkerNodeConfig
from alula_ray.addresses import check_address, host_and_port
from alula_ray.cluster import classified, pip_of, ray_resources
from alula_ray.messages import VersionError
from alula_ray.session import local_resources
from alula_ray.versions import check_version


def test_a_config_is_plain_data() -> None:
    config = RayJobConfig(
        worker_node_config=[
            WorkerNodeConfig(
                "small",
                replicas=2,
                max_replicas=4,
                pod_template={"spec": {"containers": [{"name": "worker"}]}},
                requests=Resources(cpu=2, mem="1Gi"),
                limits=Resources(cpu=4),
            )
        ],
        head_node_config=HeadNodeConfig(ray_start_params={"num-cpus": "0"}),
        enable_autoscaling=True,
        autoscaler_options={"idleTimeoutSeconds": 60},
        runtime_env={"pip": ["numpy"]},
    )
    custom = config.to_custom()
    assert custom == {
        "workers": [
            {
                "group_name": "small",
                "replicas": 2,
                "max_replicas": 4,
                "pod_template": {"spec": {"containers": [{"name": "worker"}]}},
                "requests": {"cpu": "2", "memory": "1Gi"},
                "limits": {"cpu": "4"},
            }
        ],
        "head": {"ray_start_params": {"num-cpus": "0"}},
        "enable_autoscaling": True,
        "autoscaler_options": {"idleTimeoutSeconds": 60},
        "runtime_env": {"pip": ["numpy"]},
    }
    custom["runtime_env"]["pip"].append("changed")
    assert config.runtime_env == {"pip": ["numpy"]}


def test_both_names_are_one_class() -> None:
    assert RayJob is RayJobConfig


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: WorkerNodeConfig("Not A Label"), "group_name"),
        (lambda: WorkerNodeConfig("w", replicas=-1), "replicas"),
        (lambda: WorkerNodeConfig("w", replicas=True), "replicas"),
        (lambda: WorkerNodeConfig("w", replicas=3, max_replicas=2), "max_replicas=2"),
        (lambda: WorkerNodeConfig("w", replicas=1, min_replicas=2), "min_replicas=2"),
        (lambda: WorkerNodeConfig("w", pod_template=object()), "pod_template"),
        (lambda: WorkerNodeConfig("w", requests={"cpu": 1}), "alula.Resources"),
        (lambda: HeadNodeConfig(ray_start_params={"num-cpus": 1}), "ray_start_params"),
        (lambda: RayJobConfig(WorkerNodeConfig("w")), "list of WorkerNodeConfig"),
        (lambda: RayJobConfig([{"group_name": "w"}]), "WorkerNodeConfig"),
        (lambda: RayJobConfig([WorkerNodeConfig("w"), WorkerNodeConfig("w")]), "two groups"),
        (lambda: RayJobConfig(head_node_config=WorkerNodeConfig("w")), "HeadNodeConfig"),
        (lambda: RayJobConfig(autoscaler_options={}), "does not scale"),
        (lambda: RayJobConfig(runtime_env=["pip"]), "runtime_env"),
        (lambda: RayJobConfig(runtime_env={"pip": object()}), "plain data"),
        (lambda: RayJobConfig(runtime_env={"env_vars": {"N": 1}}), "texts"),
        (lambda: RayJobConfig(address="somewhere"), "no address"),
        (lambda: RayJobConfig(address="http://h:8265", shutdown_after_job_finishes=True), "not the job's"),
        (lambda: RayJobConfig(ttl_seconds_after_finished=5), "not shut down"),
        (lambda: RayJobConfig(shutdown_after_job_finishes=True, ttl_seconds_after_finished=-1), "from 0"),
    ],
)
def test_mistakes_are_told_where_the_config_is_made(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        make()


@pytest.mark.parametrize(
    "address",
    [
        "auto",
        "local",
        "http://h",
        "https://h:1/ray",
        "ray://h:10001",
        "10.0.0.1:6379",
        "[::1]:6379",
        "local://127.0.0.1:1",
    ],
)
def test_addresses(address: str) -> None:
    check_address(address, "it")


@pytest.mark.parametrize("address", ["", "h", "ray://h", "ftp://h:1", "h:port", "h:1-lost", "http://h:8265 ", None])
def test_what_is_no_address(address: Any) -> None:
    with pytest.raises(UsageError, match="http://host:8265"):
        check_address(address, "it")


def test_where_a_connection_goes() -> None:
    assert host_and_port("ray://h:10001") == ("h", 10001)
    assert host_and_port("[::1]:6379") == ("::1", 6379)
    assert host_and_port("https://h/path") == ("h", 443)
    assert host_and_port("auto") is None


def test_a_ray_of_this_machine_has_what_all_nodes_have() -> None:
    config = RayJobConfig(
        [
            WorkerNodeConfig("a", 2, requests=Resources(cpu=3), ray_start_params={"resources": '{"disk": 2}'}),
            WorkerNodeConfig("b", 1),
        ],
        HeadNodeConfig(ray_start_params={"num-cpus": "1"}),
    )
    assert local_resources(config.to_custom()) == {"num_cpus": 8, "resources": {"disk": 4.0}}
    assert local_resources(RayJobConfig().to_custom()) == {}


def task(**fields: Any) -> TaskSpec:
    return TaskSpec(id=EntityId("task", "it"), interface=Interface(), **fields)


def test_resources_become_options_of_ray() -> None:
    assert ray_resources(task()) == {"num_cpus": 1.0}
    asked = ResourceSpec({"cpu": "500m", "memory": "1Gi", "gpu": "A100:2"}, {"cpu": "2"})
    assert ray_resources(task(resources=asked)) == {
        "num_cpus": 0.5,
        "memory": 1 << 30,
        "num_gpus": 2,
        "accelerator_type": "A100",
    }
    assert ray_resources(task(resources=ResourceSpec({"gpu": "1"})))["num_gpus"] == 1


def test_packages_of_an_image_are_for_ray_to_install() -> None:
    @alula.task(container_image=Image().with_pip_packages("numpy>=2", "attrs").with_env_vars({"A": "1"}))
    def packed() -> None: ...

    assert pip_of(packed.spec(alula.current_app())) == ["numpy>=2", "attrs"]
    assert pip_of(task(image="team/image:1")) == []


def test_what_ray_cannot_install_is_refused() -> None:
    @alula.task(container_image=Image().with_apt_packages("curl"))
    def packed() -> None: ...

    with pytest.raises(UsageError, match="AptPackages"):
        pip_of(packed.spec(alula.current_app()))


def test_another_version_of_ray_is_refused() -> None:
    with pytest.raises(VersionError, match=r"runs Ray 1\.0\.0"):
        check_version("1.0.0", "http://h")


@pytest.mark.parametrize(
    ("exception", "kind"),
    [
        ("ray.exceptions:OutOfMemoryError", "out_of_memory"),
        ("ray.exceptions:WorkerCrashedError", SYSTEM_FAILURE),
        ("ray.exceptions:ActorDiedError", SYSTEM_FAILURE),
        ("builtins:ValueError", USER_FAILURE),
    ],
)
def test_failures_of_the_cluster_are_told_from_those_of_the_code(exception: str, kind: str) -> None:
    outcome = classified(Outcome(kind=USER_FAILURE, error=ActionError(code="x", message="x", exception=exception)))
    assert outcome.kind == kind
    assert outcome.error is not None
    assert outcome.error.kind == ("system" if kind == SYSTEM_FAILURE else "user")
