"""Running means of whatever is measured: over images, iterations and processes, without waiting for the accelerator."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor


def wide(x: Tensor) -> Tensor:
    """Cast to float64; Apple's GPUs have none and stay at float32."""
    return x.to(_widest(x.device))


class RunningMeans:
    """Weighted means by name. Sums stay on the device of what is added, in float64 where it has that type."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}  # (2,): weighted sum, sum of weights

    @property
    def names(self) -> list[str]:
        """What was added, in the order of its first time."""
        return list(self._sums)

    def add(self, name: str, values: Tensor, weight: Tensor | float = 1) -> None:
        """Add values to a mean.

        Args:
            name: Of the mean.
            values: Any shape.
            weight: Of each value, of the same shape, or one number. What weighs 0 is left out, also where it is NaN.
        """
        values = wide(values.detach())
        weights = weight.to(values) if isinstance(weight, Tensor) else torch.full_like(values, weight)
        new = torch.stack(((torch.where(weights > 0, values, 0.0) * weights).sum(), weights.sum()))
        self._sums[name] = self._sums[name] + new if name in self._sums else new

    def compute(self, reduce: Callable[[Tensor], Tensor] | None = None) -> dict[str, float]:
        """Return the means; NaN where nothing has weight.

        Args:
            reduce: Sums a tensor over all processes, for example `lambda t: strategy.reduce(t, reduce_op="sum")`. It is
                called once, so all processes must have added the same names in the same order, if only with weight 0.
                Everything then weighs the same wherever it was measured.
        """
        if not self._sums:
            return {}
        state = torch.stack(list(self._sums.values()))  # (N, 2)
        sums, weights = (state if reduce is None else reduce(state)).cpu().double().unbind(dim=1)
        return dict(zip(self._sums, (sums / weights).tolist(), strict=True))

    def clear(self) -> None:
        """Forget everything added so far."""
        self._sums.clear()

    def state(self) -> dict[str, list[float]]:
        """Return what was added so far in plain containers, to go on from: {name: [weighted sum, sum of weights]}."""
        return {name: sums.tolist() for name, sums in self._sums.items()}

    def load(self, state: Mapping[str, Sequence[float]], device: torch.device) -> None:
        """Go on from what `state` returned, on a device."""
        dtype = _widest(device)
        self._sums = {name: torch.tensor(sums, dtype=dtype, device=device) for name, sums in state.items()}


def _widest(device: torch.device) -> torch.dtype:
    return torch.float32 if device.type == "mps" else torch.float64


class FirstNotFinite:
    """Remembers when which value was not finite first."""

    def __init__(self) -> None:
        self._first: dict[str, Tensor] = {}  # name -> first such step, -1 = none

    def add(self, name: str, value: Tensor, step: int) -> None:
        """Note a scalar of a step."""
        first = self._first.get(name, torch.full((), -1, dtype=torch.int64, device=value.device))
        self._first[name] = torch.where((first < 0) & ~value.detach().isfinite(), step, first)

    def find(self) -> tuple[str, int] | None:
        """Return the name and the step of the earliest value that was not finite."""
        steps = {name: int(first) for name, first in self._first.items()}
        found = {name: step for name, step in steps.items() if step >= 0}
        return min(found.items(), key=lambda item: item[1]) if found else None
