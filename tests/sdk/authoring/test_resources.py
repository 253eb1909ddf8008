"""What a task may say of the resources that it needs."""

from __future__ import annotations

from typing import Any

import pytest

import alula
from alula import Resources, RetryStrategy, task
from alula_kernel.errors import ArgumentError
from alula_kernel.specs import ResourceSpec, RetryPolicy


def spec_of(**settings: Any) -> Any:
    @task(**settings)
    def needy(x: int) -> int:
        return x

    return needy.spec(alula.current_app())


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"resources": Resources(cpu=("500m", 2), memory="1Gi")}, ({"cpu": "500m"}, {"cpu": "2"})),
        ({"requests": Resources(cpu=1), "limits": Resources(cpu="1500m")}, ({"cpu": "1"}, {"cpu": "1500m"})),
        ({"requests": Resources(mem="1Gi"), "limits": Resources(mem="1024Mi")}, ({}, {})),
        (
            {"limits": Resources(gpu="A100:2"), "shared_memory": True},
            ({"shm": "auto"}, {"gpu": "A100:2", "shm": "auto"}),
        ),
        ({"accelerator": "nvidia-l4"}, ({"accelerator": "nvidia-l4"}, {})),
    ],
)
def test_requests_and_limits(settings: dict[str, Any], expected: tuple[dict[str, str], dict[str, str]]) -> None:
    spec: ResourceSpec = spec_of(**settings).resources
    assert expected[0].items() <= spec.requests.items()
    assert expected[1].items() <= spec.limits.items()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"requests": {"cpu": 2}, "limits": {"cpu": 1}}, "the limit of cpu, 1, is below the request, 2"),
        ({"resources": {"mem": ("2Gi", "900Mi")}}, "the limit of memory, 900Mi, is below the request, 2Gi"),
        (
            {"requests": {"gpu": 1}, "limits": {"gpu": 2}},
            "the request and the limit of gpu must be equal, found 1 and 2",
        ),
    ],
)
def test_limits_hold_what_is_asked_for(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        spec_of(**{name: Resources(**given) for name, given in settings.items()})
    assert message in caught.value.message


@pytest.mark.parametrize("gpu", [0.5, "0.5", "1.5", "A100:half", "A100:", -1, ""])
def test_devices_are_whole(gpu: Any) -> None:
    with pytest.raises(ArgumentError, match="is no number of devices"):
        Resources(gpu=gpu)


@pytest.mark.parametrize("cpu", [-1, -0.5, float("inf"), "-1"])
def test_nothing_is_below_zero(cpu: Any) -> None:
    with pytest.raises(ArgumentError):
        Resources(cpu=cpu)


@pytest.mark.parametrize(
    "settings", [{"mem": 1.5}, {"memory": (0.5, "1Gi")}, {"disk": 0.1}, {"ephemeral_storage": 1.1}]
)
def test_bytes_are_whole(settings: dict[str, Any]) -> None:
    """A number without a unit is one of bytes, and gigabytes were meant."""
    with pytest.raises(ArgumentError, match="is no whole number of bytes") as caught:
        Resources(**settings)
    assert "Gi'" in caught.value.hint
    assert Resources(cpu=0.5, mem=1e9).quantities() == {"cpu": ("0.5", "0.5"), "memory": ("1000000000.0",) * 2}


def test_one_budget_for_all_failures() -> None:
    assert spec_of(retries=RetryStrategy(4, system=None)).retries == RetryPolicy(user=4, system=None)
