"""``flytekitplugins.omegaconf``: how configurations of OmegaConf are kept. Here they are pickled, which keeps all of them."""

from __future__ import annotations

import contextlib
import enum
from collections.abc import Iterator


class OmegaConfTransformerMode(enum.Enum):
    """What a configuration becomes where it is read."""

    DictConfig = "DictConfig"
    DataClass = "DataClass"
    Auto = "Auto"


_MODES = [OmegaConfTransformerMode.Auto]


def get_transformer_mode() -> OmegaConfTransformerMode:
    """Return what was set last."""
    return _MODES[-1]


def set_transformer_mode(mode: OmegaConfTransformerMode) -> None:
    """Keep what is wanted; configurations are read as they were, with the dataclasses behind them."""
    _MODES[-1] = mode


@contextlib.contextmanager
def local_transformer_mode(mode: OmegaConfTransformerMode) -> Iterator[None]:
    """Keep what is wanted while the block runs."""
    _MODES.append(mode)
    try:
        yield
    finally:
        _MODES.pop()
