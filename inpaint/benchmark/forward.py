"""How long a network takes for one pass, against another way of computing it, and how much memory it needs.

Weights are random, since speed does not depend on them, but drawn so that signals keep their size: numbers so small
that a processor treats them specially would be slow.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from inpaint.errors import InpaintError, UsageError, unknown
from inpaint.nn.inference import prepare_for_inference
from inpaint.nn.spectral import converge
from inpaint.registry import table as registry
from inpaint.system import devices

DTYPES = {
    "float32": torch.float32,
    "tf32": torch.float32,  # with TensorFloat-32 in matrix products and convolutions, on GPUs that have it
    "bfloat16": torch.bfloat16,
    "float64": torch.float64,
}
PLAIN = {"reference": "Reference", "port": "Port"}  # classes of a model's reference.py
GAIN = 2.4  # keeps the deviation of activation(a) * sigmoid(g) near that of its input


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What is measured: size in pixels; part: of the network alone, where it has such parts.

    kind: network, as `inpaint.load` prepares it; reference, the papers' plain arithmetic; port, the arithmetic of
    public ports where it differs from that.
    """

    model: str = "deepfill"
    kind: str = "network"
    part: str | None = None
    compile: bool = False
    size: int = 256
    batch: int = 1
    dtype: str = "float32"
    device: str = "cpu"
    threads: int | None = None


@dataclass(frozen=True)
class Timing:
    """Milliseconds of one pass over the rounds. user_ms: processor time of all threads, lowest."""

    median_ms: float
    lowest_ms: float
    highest_ms: float
    user_ms: float


def enliven(network: nn.Module, *, seed: int = 0) -> None:
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
    """Return the network of a setting, ready to fill; raises UsageError for a model or dtype that is not there."""
    if setting.dtype not in DTYPES:
        raise UsageError(unknown("dtype", setting.dtype, DTYPES))
    device = devices.resolve_device(setting.device)
    if setting.dtype == "tf32" and device.type != "cuda":
        raise UsageError(f"tf32 needs a GPU; valid on {device.type}: {', '.join(DTYPES.keys() - {'tf32'})}")
    config = registry.config_class(setting.model)()
    config = config.for_crop(setting.size)
    network: nn.Module = registry.network_class(setting.model)(config)
    enliven(network)
    network = network.eval().requires_grad_(False).to(DTYPES[setting.dtype])
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


def forward_task(setting: Setting) -> Callable[[], None]:
    """Return the task of one pass: random pictures, the middle square of half the side as the hole.

    Raises UsageError for a part that the network does not have.
    """
    network, size = build(setting), setting.size
    parameter = next(network.parameters())
    image = torch.rand(setting.batch, 3, size, size, generator=torch.Generator().manual_seed(0)).to(parameter)
    mask = torch.zeros(setting.batch, 1, size, size).to(parameter)
    mask[..., size // 4 : 3 * size // 4, size // 4 : 3 * size // 4] = 1
    task = _part(setting, network, image, mask) if setting.part else lambda: network(image, mask)

    def work() -> None:
        with torch.inference_mode(), _tensor_float(setting.dtype == "tf32"):
            task()
        if parameter.is_cuda:
            torch.cuda.synchronize()

    return work


def _part(setting: Setting, network: nn.Module, image: Tensor, mask: Tensor) -> Callable[[], object]:
    if not hasattr(network, "parts"):
        raise UsageError(f"'{setting.model}' is measured as a whole only; leave out the part '{setting.part}'")
    with torch.inference_mode():
        parts: dict[str, Callable[[], object]] = cast(Any, network).parts(image, mask)
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


def times_in_turns(tasks: Mapping[str, Callable[[], None]], *, rounds: int) -> tuple[dict[str, Timing], list[float]]:
    """Time every task once in each round, after one round that does not count.

    Returns the timings and, for two tasks, each round's time of the second over that of the first.
    """
    wall: dict[str, list[float]] = {name: [] for name in tasks}
    user: dict[str, list[float]] = {name: [] for name in tasks}
    for number in range(rounds + 1):
        for name, work in tasks.items():
            started, used = time.perf_counter(), time.process_time()
            work()
            if number:
                wall[name].append(1000 * (time.perf_counter() - started))
                user[name].append(1000 * (time.process_time() - used))
    timings = {
        name: Timing(statistics.median(values), min(values), max(values), min(user[name]))
        for name, values in wall.items()
    }
    first, *others = wall.values()
    ratios = [other / own for own, other in zip(first, others[0], strict=True)] if others else []
    return timings, ratios


def peak_bytes(setting: Setting) -> int:
    """Return the most memory that one pass takes in a process of its own.

    On a GPU what torch allocated there, on a CPU the resident memory of the whole process, libraries included.
    """
    command = [sys.executable, "-m", "inpaint.benchmark.forward", json.dumps(asdict(setting))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = done.stderr.strip().rpartition("\n")[2] or f"exit status {done.returncode}"
        raise InpaintError(f"measuring the memory of {setting.kind} at {setting.size} px failed: {last}")
    return int(done.stdout)


def _own_peak(setting: Setting) -> int:
    if setting.threads is not None:
        torch.set_num_threads(setting.threads)
    forward_task(setting)()
    if devices.resolve_device(setting.device).type == "cuda":
        return torch.cuda.max_memory_allocated()
    return resident_peak()


def resident_peak() -> int:
    """Return the most bytes of memory that this process has had."""
    try:
        # What the kernel reports as ru_maxrss begins with the size of the process that started this one.
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        return 1024 * int(status.partition("VmHWM:")[2].split()[0])
    except (OSError, IndexError, ValueError):
        pass  # no Linux
    # Kilobytes, on macOS bytes.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def load_average() -> float | None:
    """Return how many processes wanted to run in the last minute, where the system says so."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def _main(arguments: list[str]) -> None:
    settings: dict[str, Any] = json.loads(arguments[0])
    print(_own_peak(Setting(**settings)))


if __name__ == "__main__":
    _main(sys.argv[1:])
