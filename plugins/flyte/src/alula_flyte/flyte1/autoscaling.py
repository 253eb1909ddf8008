"""``AutoscalerOptionsConfig`` of ``flytekitplugins.ray``: options of the autoscaler, in the words of KubeRay."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any

import msgspec

import alula


class _Mode(enum.Enum):
    """How fast a cluster grows."""

    DEFAULT = 0
    AGGRESSIVE = 1
    CONSERVATIVE = 2


class AutoscalerOptionsConfig(dict[str, Any]):
    """Options of a cluster's autoscaler.

    Args:
        upscaling_mode: How fast it grows.
        idle_timeout_seconds: How long a node may have nothing to do.
        env: Environment variables of the autoscaler.
        image: Its image.
        requests: Resources that it asks for.
        limits: Its limits.
    """

    UpscalingMode = _Mode

    def __init__(
        self,
        upscaling_mode: _Mode | None = None,
        idle_timeout_seconds: int | None = None,
        env: Mapping[str, str] | None = None,
        image: str | None = None,
        requests: alula.Resources | None = None,
        limits: alula.Resources | None = None,
    ) -> None:
        super().__init__(
            _given(
                upscalingMode=upscaling_mode and upscaling_mode.name.capitalize(),
                idleTimeoutSeconds=idle_timeout_seconds,
                env=env and dict(env),
                image=image,
                resources=_given(requests=_plain(requests), limits=_plain(limits)) or None,
            )
        )


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _plain(resources: alula.Resources | None) -> dict[str, Any] | None:
    return None if resources is None else _given(**msgspec.to_builtins(resources))
