from __future__ import annotations

import inspect

import msgspec
import pytest

from alula_kernel import contracts

STRUCTS = sorted(
    name for name, value in vars(contracts).items() if isinstance(value, type) and issubclass(value, msgspec.Struct)
)


@pytest.mark.parametrize("name", STRUCTS)
def test_the_signature_of_every_struct_can_be_shown(name: str) -> None:
    struct = getattr(contracts, name)
    assert list(inspect.signature(struct).parameters) == list(struct.__struct_fields__)
