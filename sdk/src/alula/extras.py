"""What some programs need beside tasks."""

from ._batching import BatchStats, CostEstimator, DynamicBatcher

__all__ = ["BatchStats", "CostEstimator", "DynamicBatcher"]
