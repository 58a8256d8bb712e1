"""Where the time of a piece of work goes, and how many multiplications it takes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

import torch
from torch._C._autograd import DeviceType
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

# What an operator belongs to, by the first group of which a part stands in its name.
GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("convolution", ("conv",)),
    ("matrix products", ("aten::mm", "bmm", "addmm", "matmul", "linear", "attention", "einsum")),
    ("compiled kernels", ("triton", "compiled", "inductor", "graph_", "cpp_fused")),
    ("optimizer", ("_foreach", "_fused_adam", "optimizer")),
    ("copies", ("copy", "clone", "contiguous", "cat", "pad", "fill", "zero", "index", "stack", "empty", "roll")),
)
OTHERS = "pointwise and rest"


def group_of(operator: str) -> str:
    """Return the group of an operator as the profiler names it: aten::mkldnn_convolution, aten::mul, ..."""
    name = operator.lower()
    return next((group for group, parts in GROUPS if any(part in name for part in parts)), OTHERS)


def shares(work: Callable[[], object], *, device: torch.device) -> dict[str, float]:
    """Return the share of the time that each group of operators takes in one piece of work, largest first.

    On a GPU of the time its kernels run, on a CPU of the processor's time in operators.
    """
    cuda = device.type == "cuda"
    with profile(activities=[ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if cuda else [])]) as found:
        work()
    times: dict[str, float] = defaultdict(float)
    for event in found.key_averages():
        if event.device_type != DeviceType.CPU:
            continue  # a kernel, whose time its operator has already
        times[group_of(event.key)] += event.self_device_time_total if cuda else event.self_cpu_time_total
    total = sum(times.values())
    ordered = sorted(times.items(), key=lambda item: -item[1])
    return {group: time / total for group, time in ordered if time > 0} if total else {}


def multiplications(work: Callable[[], object]) -> int:
    """Count the multiply-accumulates of all convolutions and matrix products in one piece of work, not compiled."""
    with torch.compiler.set_stance("force_eager"), FlopCounterMode(display=False) as counter:
        work()
    return int(counter.get_total_flops()) // 2
