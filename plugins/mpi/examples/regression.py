"""Data-parallel training: every rank has a part of the rows, and the ranks add up their gradients.

Run it with: alula run regression.py train_and_score
"""

from __future__ import annotations

import numpy as np

import alula
from alula_mpi import MPIJob, Worker


@alula.task
def make_rows(count: int, seed: int) -> np.ndarray:
    """Make rows of features with a target in the last column."""
    generator = np.random.default_rng(seed)
    features = generator.normal(size=(count, 4))
    target = features @ np.array([2.0, -1.0, 0.5, 3.0]) + generator.normal(scale=0.1, size=count)
    return np.column_stack([features, target])


@alula.task(task_config=MPIJob(worker=Worker(replicas=4)), retries=1)
def train(rows: np.ndarray, steps: int, rate: float) -> list[float]:
    """Fit a linear regression by gradient descent; runs on every rank."""
    from mpi4py import MPI

    ranks = MPI.COMM_WORLD
    mine = np.array_split(rows, ranks.size)[ranks.rank]
    features, target = mine[:, :-1], mine[:, -1]
    weights = np.zeros(features.shape[1])
    for step in range(steps):
        residual = features @ weights - target
        gradient = ranks.allreduce(features.T @ residual) / len(rows)
        weights -= rate * gradient
        if step % 50 == 0:
            pass
    return [round(float(weight), 3) for weight in weights]


@alula.task
def score(rows: np.ndarray, weights: list[float]) -> float:
    """Return the share of the variance that the weights explain."""
    features, target = rows[:, :-1], rows[:, -1]
    return round(1 - float(np.var(target - features @ np.array(weights)) / np.var(target)), 4)


@alula.workflow
def train_and_score(count: int = 20_000, steps: int = 200, rate: float = 0.1) -> tuple[list[float], float]:
    """Train on four ranks and score on other rows."""
    weights = train(rows=make_rows(count=count, seed=1), steps=steps, rate=rate)
    return weights, score(rows=make_rows(count=1_000, seed=2), weights=weights)
