"""``flyte.extras``: batchers, also in words of tokens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, runtime_checkable

from alula.extras import CostEstimator
from alula.extras import DynamicBatcher as _Batcher

RecordT = TypeVar("RecordT")
ResultT = TypeVar("ResultT")


@runtime_checkable
class TokenEstimator(Protocol):
    """A record that knows how many tokens it has."""

    def estimate_tokens(self) -> int:
        """Return the number of tokens."""
        ...


@dataclass
class Prompt:
    """A text for a model.

    Attributes:
        text: The text.
    """

    text: str

    def estimate_tokens(self) -> int:
        """Return a quarter of the number of characters, plus one."""
        return len(self.text) // 4 + 1


class DynamicBatcher(_Batcher[RecordT, ResultT]):
    """A batcher as `alula.extras.DynamicBatcher`.

    Args:
        process_fn: What works on a batch.
        prefetch_batches: Not looked at: one batch gathers while another is worked on.
        settings: As Alula's takes them.
    """

    def __init__(self, process_fn: Any, *, prefetch_batches: int = 2, **settings: Any) -> None:
        super().__init__(process_fn, **settings)


class TokenBatcher(DynamicBatcher[RecordT, ResultT]):
    """A batcher whose batches are limited by tokens.

    Args:
        inference_fn: What works on a batch.
        process_fn: Another name of it.
        token_estimator: What counts the tokens of a record; the record's own method if it is not given.
        cost_estimator: Another name of it.
        target_batch_tokens: Tokens of a batch.
        target_batch_cost: Another name of it.
        default_token_estimate: Tokens of a record of which nothing is known.
        default_cost: Another name of it.
        settings: As `DynamicBatcher` takes them.
    """

    def __init__(
        self,
        inference_fn: Any = None,
        *,
        process_fn: Any = None,
        token_estimator: Callable[[Any], int] | None = None,
        cost_estimator: Callable[[Any], int] | None = None,
        target_batch_tokens: int | None = None,
        target_batch_cost: int = 32_000,
        default_token_estimate: int | None = None,
        default_cost: int = 1,
        **settings: Any,
    ) -> None:
        estimate = token_estimator or cost_estimator
        default = default_cost if default_token_estimate is None else default_token_estimate

        def tokens(record: Any) -> int:
            if estimate is not None:
                return estimate(record)
            if isinstance(record, TokenEstimator):
                return record.estimate_tokens()
            return record.estimate_cost() if isinstance(record, CostEstimator) else default

        super().__init__(
            inference_fn or process_fn,
            cost_estimator=tokens,
            target_batch_cost=target_batch_cost if target_batch_tokens is None else target_batch_tokens,
            **settings,
        )

    async def submit(
        self, record: RecordT, *, estimated_tokens: int | None = None, estimated_cost: int | None = None
    ) -> asyncio.Future[ResultT]:
        """Hand in a record, and return the future of its result."""
        return await super().submit(record, estimated_cost=estimated_tokens or estimated_cost)
