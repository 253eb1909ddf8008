"""``flyte.new_condition``: a webhook is not called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import alula
from alula.adapting import WithAio


@dataclass(frozen=True)
class ConditionWebhook:
    """What would be called when a condition is made.

    Attributes:
        url: Its address.
        payload: What would be sent.
    """

    url: str
    payload: Mapping[str, Any] | None = None


def _new_condition(
    name: str, /, prompt: str = "Approve?", prompt_type: str = "text", webhook: Any = None, **settings: Any
) -> Any:
    """Ask a person or another system a question; ``condition.wait()`` gives the answer.

    Args:
        name: Name by which it is answered.
        prompt: The question.
        prompt_type: Not looked at: the question is shown as text.
        webhook: Not called; what waits for it is told in the log.
        settings: As `alula.new_condition` takes them.
    """
    _tell(webhook)
    return alula.new_condition(name, prompt=prompt, **settings)


async def _new_condition_async(
    name: str, /, prompt: str = "Approve?", prompt_type: str = "text", webhook: Any = None, **settings: Any
) -> Any:
    _tell(webhook)
    return await alula.new_condition.aio(name, prompt=prompt, **settings)


def _tell(webhook: Any) -> None:
    if webhook is not None:
        alula.logger.warning("conditions have no webhook here; call %s yourself", webhook.url)


new_condition = WithAio(_new_condition, _new_condition_async)
