"""The base of fills that compute with torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from inpaint.fills.array_fill import channels_first, channels_last
from inpaint.fills.base import BaseFill, mapped
from inpaint.types import Fill, Guidance, ProgressCallback, Seed


class TensorFill(BaseFill):
    """Paints tensors; results lie on the image's device."""

    def fill(
        self,
        image: Tensor,
        mask: Tensor | None,
        *,
        guidance: Guidance | None = None,
        samples: int = 1,
        seed: Seed = 0,
        progress: ProgressCallback | None = None,
    ) -> list[Fill]:
        """Fill a batch as `Inpainter.fill` says."""
        return self.answer(image, mask, guidance=guidance, samples=samples, seed=seed, progress=progress)

    def fill_arrays(
        self,
        image: npt.NDArray[Any],
        mask: npt.NDArray[Any] | None,
        *,
        guidance: Mapping[str, npt.NDArray[Any]] | None = None,
        samples: int = 1,
        seed: Seed = 0,
        progress: ProgressCallback | None = None,
    ) -> list[Fill[npt.NDArray[Any]]]:
        """Fill arrays (B, H, W, C) as `Inpainter.fill` says."""
        fills = self.fill(
            _tensor(image),
            None if mask is None else _tensor(mask),
            guidance={name: _tensor(plane) for name, plane in (guidance or {}).items()},
            samples=samples,
            seed=seed,
            progress=progress,
        )
        return [mapped(fill, lambda plane: channels_last(plane.cpu().numpy())) for fill in fills]


def _tensor(plane: npt.NDArray[Any]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(channels_first(plane)))
