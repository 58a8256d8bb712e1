"""What can be known of a training before it begins: parameters, memory, hardware, and whether a step would work."""

from __future__ import annotations

import logging
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from lightning_fabric.plugins.environments.lsf import LSFEnvironment
from torch import Tensor

from inpaint.errors import ConfigError, InputError, unknown
from inpaint.losses import Term
from inpaint.losses.base import DiscriminatorTerm
from inpaint.nn.random import drawing_from
from inpaint.system.devices import accelerators
from inpaint.system.environment import cores, hardware
from inpaint.training.adversarial import generator_losses
from inpaint.training.config import LoopConfig
from inpaint.training.figures import Figures
from inpaint.training.module import TrainingModule
from inpaint.training.phases import eval_mode, only_trainable
from inpaint.training.runs import FOLDER_VARIABLE, launched
from inpaint.training.selection import Selection

GB = 1024**3
TIMED_SAMPLES = 2  # of which an iteration's time is estimated

log = logging.getLogger("inpaint.training")


def parameters(module: TrainingModule) -> dict[str, int]:
    """Return the number of trained parameters by role."""
    return {role: sum(p.numel() for p in network.parameters()) for role, network in module.roles().items()}


def memory_bytes(module: TrainingModule, *, size_px: int, samples: int) -> int:
    """Estimate the memory of one device, from what one sample leaves behind for the backward pass.

    Args:
        module: The training; gray samples are computed with it, and it stays as it is.
        size_px: Side of the crops.
        samples: How many are computed at once.

    Returns:
        Bytes of weights, gradients, two moments of Adam, averaged networks and the tensors that autograd keeps;
        temporary buffers of the library come on top.
    """
    weights = sum(parameters(module).values()) * 4
    kept = _kept_bytes(module, size_px)
    if module.loop.trainer.precision != "32-true":
        kept //= 2
    averaged = sum(p.numel() for p in module.network.parameters()) * 4
    return 4 * weights + averaged + kept * samples


def seconds_per_iteration(module: TrainingModule, *, size_px: int, samples: int) -> float:
    """Estimate the time of one iteration on this machine by computing all losses and gradients of a few samples.

    Args:
        module: The training; its networks and what they gather stay as they are.
        size_px: Side of the crops.
        samples: Of one iteration on one device.

    Returns:
        Seconds, without reading photos, the optimizers' steps and validation.
    """
    count = max(2, min(samples, TIMED_SAMPLES))  # one sample may be too few for the statistics of a batch
    device = torch.device(device_count(module.loop)[0])
    home = next(module.parameters()).device
    updates = max((phase.updates for phase in module.timeline), key=len)
    batch = {name: plane.repeat(count, 1, 1, 1) for name, plane in _gray_sample(module, size_px).items()}
    batch = {name: plane.to(device) for name, plane in batch.items()}
    module.to(device)
    try:
        with _buffers_kept(module), drawing_from(module.loop.seed, device=device), _precision(module.loop, device):
            for _ in range(1 if device.type == "cpu" else 2):  # accelerators choose their kernels in the first
                started = time.perf_counter()
                record = module.record(module.taught(batch))
                for update in updates:
                    with only_trainable(module.roles(), update.networks):
                        needs = update.needs_gradient
                        loss, _ = update.losses(record if needs else {n: t.detach() for n, t in record.items()})
                        torch.autograd.backward(loss, retain_graph=True)
                if device.type == "cuda":
                    torch.cuda.synchronize(device)
                passed_s = time.perf_counter() - started
    finally:
        module.zero_grad(set_to_none=True)
        module.to(home)
    return passed_s * samples / count


def seconds_per_validation(
    module: TrainingModule, selection: Selection, *, size_px: int, photos: int, batch_size: int
) -> float:
    """Estimate the time of one validation on this machine by filling and measuring a few gray samples.

    Args:
        module: The training; it stays as it is.
        selection: What is measured.
        size_px: Side of the crops.
        photos: Of one device, in all validation sets.
        batch_size: Of the validation.

    Returns:
        Seconds, without reading photos and without comparing the features of sets.
    """
    count = min(batch_size, TIMED_SAMPLES)
    device = torch.device(device_count(module.loop)[0])
    home = next(module.parameters()).device
    batch = {name: plane.repeat(count, 1, 1, 1).to(device) for name, plane in _gray_sample(module, size_px).items()}
    batch["number"] = torch.arange(count)
    module.to(device)
    try:
        inpainter = module.inpainter(module.averaged_network())
        figures = Figures(module, selection)
        figures.start(fills=inpainter is not None)
        with torch.no_grad(), _precision(module.loop, device):
            for _ in range(2):  # networks of measures are built with the first
                started = time.perf_counter()
                figures.add(selection.sets[0], batch, inpainter)
                if device.type == "cuda":
                    torch.cuda.synchronize(device)
                passed_s = time.perf_counter() - started
    finally:
        module.to(home)
    return passed_s * photos / count


def _precision(loop: LoopConfig, device: torch.device) -> torch.autocast:
    kind = torch.float16 if loop.trainer.precision == "16-mixed" else torch.bfloat16
    return torch.autocast(device.type, kind, enabled=loop.trainer.precision != "32-true")


def check_memory(loop: LoopConfig, needed_bytes: int) -> None:
    """Warn when the memory of one device that a training is estimated to need is more than there is.

    Args:
        loop: Says which devices.
        needed_bytes: As `memory_bytes` estimates them.
    """
    kind, count = device_count(loop)
    if kind == "cuda":
        there: int | None = min(gpu["memory_bytes"] for gpu in accelerators()[:count])
    else:
        there = hardware()["memory_bytes"]
        needed_bytes *= count  # processes share the machine's
    if there is not None and needed_bytes > there:
        log.warning(
            "about %.1f GB of memory are needed and %.1f GB are there: a smaller batch_size, data.size or model.width "
            "needs less, and so does accumulate=N",
            needed_bytes / GB,
            there / GB,
        )


def spoken(seconds: float) -> str:
    """Return the seconds of an iteration with the two digits that say something."""
    value, unit = (seconds * 1000, "ms") if seconds < 1 else (seconds, "s")
    return f"{value:.0f} {unit}" if value >= 10 else f"{value:.1f} {unit}"


def hardware_lines(loop: LoopConfig) -> list[str]:
    """Return what the training would run on."""
    accelerator, count = device_count(loop)
    if accelerator == "cuda":
        names = ", ".join(_gpus()[:count])
    elif accelerator == "mps":
        names = "Apple GPU"
    else:
        names = (
            f"CPU, {_counted(cores(), 'core')}, {_counted(loop.trainer.threads or torch.get_num_threads(), 'thread')}"
        )
    processes = _counted(count * loop.trainer.num_nodes, "process", "processes")
    return [f"{names}; {processes}, {loop.trainer.precision}"]


def device_count(loop: LoopConfig) -> tuple[str, int]:
    """Return the kind of accelerator (cuda, mps, cpu) and how many of them one node would use.

    Raises ConfigError when this machine does not have what trainer.accelerator and trainer.devices ask for.
    """
    wanted, devices = loop.trainer.accelerator, loop.trainer.devices
    kind, available = _found(wanted)
    if kind == "cpu":
        if wanted not in ("auto", "cpu"):
            raise ConfigError(f"trainer.accelerator={wanted}: this machine has {_inventory()}; valid here: auto, cpu")
        return kind, 1 if devices == "auto" else devices
    if devices == "auto":
        return kind, available
    if devices > available:
        raise ConfigError(f"trainer.devices={devices}: this machine has {_inventory()}")
    return kind, devices


def check_launcher(loop: LoopConfig) -> None:
    """Raise ConfigError where the environment speaks of processes that nobody has started.

    Variables that another job has left behind would make this process train as one of many, or as a helper that writes
    nothing.
    """
    if "TORCHELASTIC_RUN_ID" in os.environ or LSFEnvironment.detect():
        return
    tasks = os.environ.get("SLURM_NTASKS", "1")
    if in_slurm_step():
        if tasks != "1" and "SLURM_NTASKS_PER_NODE" not in os.environ:
            raise ConfigError(f"SLURM: ask for --ntasks-per-node, not --ntasks={tasks}: each node must know its part")
        return
    if tasks != "1" and os.environ.get("SLURM_JOB_NAME") not in ("bash", "interactive"):
        raise ConfigError(
            f"SLURM gives this job {tasks} tasks, and only srun starts them: write srun before `inpaint train`, or ask "
            "for --ntasks=1"
        )
    if FOLDER_VARIABLE in os.environ:  # started by Lightning, for a further device
        return
    processes = device_count(loop)[1] * loop.trainer.num_nodes
    by_hand = ["LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"]
    if os.environ.keys() >= {*by_hand} and launched("WORLD_SIZE") == processes:
        return
    names, here = ["RANK", "LOCAL_RANK", "SLURM_PROCID"], ("", "127.0.0.1", "localhost", "::1", platform.node())
    if loop.trainer.num_nodes == 1:
        names += ["NODE_RANK", "GROUP_RANK"]
    left = [name for name in names if os.environ.get(name, "0") not in ("0", "")]
    if processes > 1 and "LOCAL_RANK" in os.environ and "LOCAL_RANK" not in left:
        left.append("LOCAL_RANK")  # which of them this one is: nobody would start the others
    if loop.trainer.num_nodes == 1 and processes > 1 and os.environ.get("MASTER_ADDR", "") not in here:
        left.append("MASTER_ADDR")
    if left:
        raise ConfigError(
            f"{', '.join(f'{name}={os.environ[name]}' for name in left)} in the environment, but neither torchrun nor "
            f"srun has started this process: `unset {' '.join(left)}` and start again"
        )


def in_slurm_step() -> bool:
    """Return whether srun has started this process, and not a batch script by itself."""
    return "SLURM_STEP_NUM_TASKS" in os.environ


def check_compiler(loop: LoopConfig) -> None:
    """Raise ConfigError where trainer.compile=true and this machine cannot compile the least function."""
    if not loop.trainer.compile:
        return
    device = torch.device(device_count(loop)[0])
    try:
        torch.compile(torch.nn.Softplus())(torch.zeros(2, device=device))
    # A compiler may be missing, or its headers, triton, a folder for what it makes: each has errors of its own.
    except Exception as error:
        reason = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise ConfigError(
            f"trainer.compile=true does not work on this machine ({reason[:200]}): install a C++ compiler such as g++, "
            "or give trainer.compile=false"
        ) from None


def check_hardware(loop: LoopConfig) -> None:
    """Raise ConfigError unless this machine, and whoever launched this process, provide what trainer.* asks for.

    A launcher that starts other processes than Lightning expects would train once in each of them, into one folder.
    """
    kind, devices = device_count(loop)
    if kind == "cpu" and loop.trainer.precision == "16-mixed":
        raise ConfigError("trainer.precision=16-mixed needs a GPU; valid on the CPU: bf16-mixed, 32-true")
    if "TORCHELASTIC_RUN_ID" in os.environ:
        launcher, world = "torchrun", launched("WORLD_SIZE")
        here = launched("LOCAL_WORLD_SIZE") if "LOCAL_WORLD_SIZE" in os.environ else world
    else:
        # Only the tasks of an srun step count: one program in a batch script may start its own processes.
        launcher, world = "srun", launched("SLURM_STEP_NUM_TASKS")
        here = world // max(launched("SLURM_STEP_NUM_NODES"), 1)
        if world == 1:
            return
    nodes = loop.trainer.num_nodes
    if (world, here) != (devices * nodes, devices):
        raise ConfigError(
            f"{launcher} started {_counted(world, 'process', 'processes')}, {here} on this machine, but "
            f"trainer.devices={loop.trainer.devices} trainer.num_nodes={nodes} make {devices * nodes}: give "
            f"trainer.devices={here} trainer.num_nodes={max(world // here, 1)}"
        )


def dry_run_step(module: TrainingModule, *, size_px: int) -> None:
    """Compute one gray sample and its losses, so that what cannot work is said before a run has a folder.

    Args:
        module: The training; it stays as it is.
        size_px: Side of the crops.

    Raises:
        ConfigError: The network does not take images of that size, or a loss reads an entry that the prediction record
            does not have.
    """
    with torch.no_grad(), eval_mode(module):
        batch = _gray_sample(module, size_px)
        try:
            record = module.record(module.taught(batch))
        except InputError as error:
            raise ConfigError(f"data.size={size_px}: {error}") from None
        entries = record.keys() - {"hole_share"}
        for name, term in module.losses.terms.items():
            if term.weight == 0 and not isinstance(term, DiscriminatorTerm):
                continue  # it is not computed, and neither are entries that nothing else reads
            for entry in sorted(term.entries - entries):
                raise ConfigError(f"{_key(name, term, entry)}: {unknown('entry of the record', entry, entries)}")
            _try(module, name, record, size_px=size_px)


def _try(module: TrainingModule, name: str, record: dict[str, Tensor], *, size_px: int) -> None:
    """Compute one loss, its generator's side. Raises ConfigError that names what it does not go with."""
    losses = module.losses.only(name)
    try:
        losses.of_record(record)
        generator_losses(losses, record, module.discriminate)
    except ConfigError as error:
        raise ConfigError(f"losses.{name}: {error}") from None
    except InputError as error:
        raise ConfigError(f"data.size={size_px}: losses.{name}: {error}") from None


def _key(name: str, term: Term, entry: str) -> str:
    """Return the key that asks for an entry of the record."""
    for option, value in term:
        if entry == value or (isinstance(value, tuple) and entry in value):
            return f"losses.{name}.{option}"
    return f"losses.{name}"


def _found(wanted: str) -> tuple[str, int]:
    """Return what Lightning would choose, and how many of it there are; any number of processes share a CPU."""
    if wanted in ("auto", "gpu", "cuda") and torch.cuda.is_available():
        return "cuda", torch.cuda.device_count()
    if wanted in ("auto", "gpu", "mps") and torch.backends.mps.is_available():
        return "mps", 1
    return "cpu", 1


def _inventory() -> str:
    if torch.cuda.is_available():
        return f"{_counted(len(_gpus()), 'GPU')}: {', '.join(_gpus())}"
    return "an Apple GPU (mps)" if torch.backends.mps.is_available() else "no GPU that PyTorch can use"


def _gpus() -> list[str]:
    return [f"{gpu['name']} ({gpu['memory_bytes'] / GB:.0f} GB)" for gpu in accelerators()]


def _counted(number: int, one: str, several: str | None = None) -> str:
    return f"{number} {one if number == 1 else several or one + 's'}"


def _gray_sample(module: TrainingModule, size_px: int) -> dict[str, Tensor]:
    """Return a batch of one with everything that the module wants, a quarter of it a hole."""
    planes = {"image": 3, "mask": 1, **{plane.name: plane.channels for plane in module.planes}}
    batch = {name: torch.full((1, channels, size_px, size_px), 0.5) for name, channels in planes.items()}
    batch["mask"] = torch.zeros(1, 1, size_px, size_px)
    batch["mask"][..., : size_px // 2, : size_px // 2] = 1
    return batch


def _kept_bytes(module: TrainingModule, size_px: int) -> int:
    """Return the bytes that autograd keeps for one sample."""
    seen: dict[int, Tensor] = {}

    def note(tensor: Tensor) -> Tensor:
        if not isinstance(tensor, torch.nn.Parameter):
            seen.setdefault(tensor.untyped_storage().data_ptr(), tensor)
        return tensor

    # Two, since one sample may be too few for the statistics of a batch.
    batch = {name: torch.cat((plane, plane)) for name, plane in _gray_sample(module, size_px).items()}
    with _buffers_kept(module), torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        record = module.record(module.taught(batch))
        updates = max((phase.updates for phase in module.timeline), key=len)
        kept = [update.losses(record)[0] for update in updates]  # with their graphs
    # `seen` holds the tensors themselves: a memory that were freed could lend its address to the next.
    del kept
    return sum(tensor.untyped_storage().nbytes() for tensor in seen.values()) // 2


@contextmanager
def _buffers_kept(module: TrainingModule) -> Iterator[None]:
    """Put back what networks gather while they train."""
    before = [(buffer, buffer.clone()) for buffer in module.buffers()]
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, value in before:
                buffer.copy_(value)
