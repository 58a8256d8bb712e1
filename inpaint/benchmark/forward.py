"""How long a network takes for one pass, against another way of computing it, and how much memory it needs.

Weights are random, since speed does not depend on them, but drawn so that signals keep their size: numbers so small
that a processor treats them specially would be slow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from inpaint.benchmark.memory import own_process_peak
from inpaint.benchmark.profiling import shares
from inpaint.benchmark.settings import DTYPES, PLAIN, Setting
from inpaint.benchmark.timing import Measured, Work, measured, torch_threads
from inpaint.errors import UsageError, unknown
from inpaint.nn.inference import prepare_for_inference
from inpaint.nn.spectral import converge
from inpaint.registry import table as registry
from inpaint.system.devices import resolve_device

GAIN = 2.4  # keeps the deviation of activation(a) * sigmoid(g) near that of its input


def measure(
    settings: Mapping[str, Setting], *, rounds: int, memory: bool, profile: bool, threads: int | None = None
) -> Measured:
    """Time one pass of all settings in turns.

    Args:
        settings: By name, all on one device.
        rounds: How many rounds count.
        memory: Measure the peak memory of each in a process of its own.
        profile: Find which operators take which share of the time.
        threads: Of torch; None: its own choice.
    """
    with torch_threads(threads) as used:
        device = resolve_device(next(iter(settings.values())).device)
        return measured(
            {name: forward_task(setting) for name, setting in settings.items()},
            rounds=rounds,
            peak=(lambda name: peak_bytes(settings[name])) if memory else None,
            shares=partial(shares, device=device) if profile else None,
            threads=used,
        )


def randomize_weights(network: nn.Module, *, seed: int = 0) -> None:
    """Redraw all weights, normal with deviation 2.4 / sqrt(inputs of a place); scales of norms stay near 1."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            drawn = torch.randn(parameter.shape, generator=generator)
            if parameter.ndim > 1:
                drawn *= GAIN / parameter[0].numel() ** 0.5
            else:
                drawn = 0.1 * drawn + (1 if name.endswith("weight") else 0)
            parameter.copy_(drawn)
    converge(network)


def build(setting: Setting) -> nn.Module:
    """Return the network of a setting, ready to fill; raises UsageError for what this device lacks."""
    device = resolve_device(setting.device)
    if setting.dtype == "tf32" and device.type != "cuda":
        raise UsageError(f"tf32 needs a GPU; valid on {device.type}: {', '.join(sorted(DTYPES.keys() - {'tf32'}))}")
    config = registry.config_class(setting.model)().for_crop(setting.size)
    network: nn.Module = registry.network_class(setting.model)(config)
    randomize_weights(network)
    network = network.eval().requires_grad_(False).to(getattr(torch, DTYPES[setting.dtype]))
    if setting.kind in PLAIN:
        network = _plain(setting.model, setting.kind, network)
    else:
        prepare_for_inference(network)
        network = network.to(memory_format=torch.channels_last)
    network = network.eval().to(device)
    if setting.compile:
        network.compile()
    return network


def _plain(model: str, kind: str, network: nn.Module) -> nn.Module:
    name = f"{registry.model_entry(model).package}.reference"
    module = import_module(name) if find_spec(name) is not None else None
    if not hasattr(module, PLAIN[kind]):
        others = [other for other, attribute in PLAIN.items() if hasattr(module, attribute)]
        raise UsageError(f"'{model}' has no {kind} to compare with; it has: {', '.join(others) or 'none'}")
    plain: nn.Module = getattr(module, PLAIN[kind])(network)
    return plain


def forward_task(setting: Setting) -> Work:
    """Return the task of one pass: random images, the middle square of half the side as the hole.

    Raises UsageError for a part that the network does not have.
    """
    network, size = build(setting), setting.size
    parameter = next(network.parameters())
    image = torch.rand(setting.batch, 3, size, size, generator=torch.Generator().manual_seed(0)).to(parameter)
    mask = torch.zeros(setting.batch, 1, size, size).to(parameter)
    mask[..., size // 4 : 3 * size // 4, size // 4 : 3 * size // 4] = 1
    config = registry.config_class(setting.model)().for_crop(setting.size)
    inputs = registry.network_class(setting.model).measured_inputs(config, image, mask)
    task = _part(setting, network, image, mask) if setting.part else lambda: network(*inputs)

    def work() -> None:
        with torch.inference_mode(), _tensor_float(setting.dtype == "tf32"):
            task()
        if parameter.is_cuda:
            torch.cuda.synchronize()

    return work


@runtime_checkable
class _InParts(Protocol):
    """A network, or plain arithmetic, that is measured part by part as well, see `InpaintNetwork.parts`."""

    def parts(self, image: Tensor, mask: Tensor) -> dict[str, Callable[[], object]]: ...


def _part(setting: Setting, network: nn.Module, image: Tensor, mask: Tensor) -> Work:
    with torch.inference_mode():
        parts = network.parts(image, mask) if isinstance(network, _InParts) else {}
    if not parts:
        raise UsageError(f"'{setting.model}' is measured as a whole only; leave out the part '{setting.part}'")
    if setting.part not in parts:
        raise UsageError(unknown(f"part of {setting.model}", str(setting.part), parts))
    return parts[setting.part]


@contextmanager
def _tensor_float(allowed: bool) -> Iterator[None]:
    """Allow or forbid TensorFloat-32, whatever was set before."""
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision("high" if allowed else "highest")
    torch.backends.cudnn.allow_tf32 = allowed
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before[0])
        torch.backends.cudnn.allow_tf32 = before[1]


def peak_bytes(setting: Setting) -> int:
    """Return the most memory that one pass takes, building included, as `own_process_peak` says."""
    return own_process_peak(_paint_once, asdict(setting), what=f"{setting.kind} at {setting.size} px")


def _paint_once(setting: dict[str, Any]) -> torch.device:
    forward_task(Setting(**setting))()
    return resolve_device(setting["device"])
