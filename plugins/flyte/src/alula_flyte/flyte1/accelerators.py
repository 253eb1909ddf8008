"""``flytekit.extras.accelerators``: kinds of devices."""

from __future__ import annotations


class BaseAccelerator:
    """A kind of device; as text it is its name.

    Args:
        device: Its name.
    """

    device: str = ""

    def __init__(self, device: str) -> None:
        self.device = device

    def __str__(self) -> str:
        return self.device

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"


class GPUAccelerator(BaseAccelerator):
    """A kind of GPU."""


class MultiInstanceGPUAccelerator(BaseAccelerator):
    """A kind of GPU that can be used in parts; a subclass has its name in `device`.

    Args:
        partition_size: The part, as ``2g.10gb``; empty for any, None for a whole one.
    """

    def __init__(self, partition_size: str | None = "") -> None:
        self._partition_size = partition_size

    @classmethod
    def partitioned(cls, partition_size: str) -> MultiInstanceGPUAccelerator:
        """Return a part of one."""
        return cls(partition_size)

    @property
    def unpartitioned(self) -> MultiInstanceGPUAccelerator:
        """A whole one."""
        return type(self)(None)

    def __str__(self) -> str:
        return f"{self.device}:{self._partition_size}" if self._partition_size else self.device


class _V5E(MultiInstanceGPUAccelerator):
    device = "tpu-v5-lite-podslice"
    slice_1x1, slice_2x2, slice_2x4, slice_4x4, slice_4x8, slice_8x8, slice_8x16, slice_16x16 = map(
        GPUAccelerator,
        [f"tpu-v5-lite-podslice:{size}" for size in ["1x1", "2x2", "2x4", "4x4", "4x8", "8x8", "8x16", "16x16"]],
    )


class _V5P(MultiInstanceGPUAccelerator):
    device = "tpu-v5p-slice"
    slice_2x2x1, slice_2x2x2, slice_2x4x4, slice_4x4x4 = map(
        GPUAccelerator, [f"tpu-v5p-slice:{size}" for size in ["2x2x1", "2x2x2", "2x4x4", "4x4x4"]]
    )


class _V6E(MultiInstanceGPUAccelerator):
    device = "tpu-v6e-slice"
    slice_1x1, slice_2x2, slice_2x4, slice_4x4, slice_4x8, slice_8x8, slice_8x16, slice_16x16 = map(
        GPUAccelerator,
        [f"tpu-v6e-slice:{size}" for size in ["1x1", "2x2", "2x4", "4x4", "4x8", "8x8", "8x16", "16x16"]],
    )


class _A100Base(MultiInstanceGPUAccelerator):
    device = "nvidia-tesla-a100"


class _A100(_A100Base):
    partition_1g_5gb = _A100Base.partitioned("1g.5gb")
    partition_2g_10gb = _A100Base.partitioned("2g.10gb")
    partition_3g_20gb = _A100Base.partitioned("3g.20gb")
    partition_4g_20gb = _A100Base.partitioned("4g.20gb")
    partition_7g_40gb = _A100Base.partitioned("7g.40gb")


class _A10080GBBase(MultiInstanceGPUAccelerator):
    device = "nvidia-a100-80gb"


class _A10080GB(_A10080GBBase):
    partition_1g_10gb = _A10080GBBase.partitioned("1g.10gb")
    partition_2g_20gb = _A10080GBBase.partitioned("2g.20gb")
    partition_3g_40gb = _A10080GBBase.partitioned("3g.40gb")
    partition_4g_40gb = _A10080GBBase.partitioned("4g.40gb")
    partition_7g_80gb = _A10080GBBase.partitioned("7g.80gb")


A10G = GPUAccelerator("nvidia-a10g")
L4 = GPUAccelerator("nvidia-l4")
L4_VWS = GPUAccelerator("nvidia-l4-vws")
L40S = GPUAccelerator("nvidia-l40s")
K80 = GPUAccelerator("nvidia-tesla-k80")
M60 = GPUAccelerator("nvidia-tesla-m60")
P4 = GPUAccelerator("nvidia-tesla-p4")
P100 = GPUAccelerator("nvidia-tesla-p100")
T4 = GPUAccelerator("nvidia-tesla-t4")
V100 = GPUAccelerator("nvidia-tesla-v100")
H100 = GPUAccelerator("nvidia-h100")
H200 = GPUAccelerator("nvidia-h200")
A100 = _A100()
A100_80GB = _A10080GB()
RTX_PRO_6000 = GPUAccelerator("nvidia-rtx-pro-6000")
V5E = _V5E()
V5P = _V5P()
V6E = _V6E()
