"""Choose a parameter with tasks of Ray: `alula run hyperparameters.py search --candidates 8`.

The search is one task of the workflow, which hands its candidates to a Ray cluster: one of its own on this machine, or the
one that ALULA_RAY_ADDRESS names.
"""

from __future__ import annotations

import dataclasses

import alula
from alula_ray import RayJobConfig, WorkerNodeConfig


@dataclasses.dataclass
class Choice:
    """A rate of learning, and the error that is left with it."""

    rate: float
    error: float


@alula.task
def samples(count: int) -> list[float]:
    """Return numbers whose mean is to be found."""
    return [(number * 37 % 101) / 10 for number in range(count)]


@alula.task(task_config=RayJobConfig(worker_node_config=[WorkerNodeConfig("worker", replicas=2)]))
def best_of(samples: list[float], rates: list[float]) -> Choice:
    """Try each rate in a task of Ray of its own."""
    import ray

    @ray.remote
    def descend(rate: float, data: list[float]) -> tuple[float, float]:
        guess = 0.0
        for _ in range(20):
            guess += rate * sum(value - guess for value in data) / len(data)
        return sum((value - guess) ** 2 for value in data) / len(data), rate

    data = ray.put(samples)
    error, rate = min(ray.get([descend.remote(rate, data) for rate in rates]))
    return Choice(rate, round(error, 3))


@alula.workflow
def search(count: int = 200, candidates: int = 4) -> Choice:
    """Choose the best rate of learning.

    Args:
        count: How many numbers there are.
        candidates: How many rates are tried.
    """
    return best_of(samples=samples(count=count), rates=rates(candidates=candidates))


@alula.task
def rates(candidates: int) -> list[float]:
    """Return the rates to try."""
    return [0.2 * (number + 1) for number in range(candidates)]
