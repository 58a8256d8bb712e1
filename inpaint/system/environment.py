"""What this installation consists of and what it runs on. Asks no network; torch is imported only for the devices."""

from __future__ import annotations

import netrc
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TypedDict
from urllib.parse import urlparse

from inpaint.system.devices import Accelerator, accelerators
from inpaint.system.extras import DISTRIBUTION, PACKAGES, install_command, is_installed

_PACKAGES = (
    DISTRIBUTION,
    "torch",
    "torchvision",
    "pytorch-lightning",
    "torchmetrics",
    "numpy",
    "opencv-python-headless",
    "scikit-image",
    "Pillow",
    "albumentations",
    "omegaconf",
    "pydantic",
    "safetensors",
    "wandb",
    "tensorboard",
)


class Hardware(TypedDict):
    """The machine. cores: those this process may use; memory_bytes: as far as its container allows, None = unknown.

    cuda: the version that torch was built for, None = a build without.
    """

    system: str
    cpu: str
    cores: int
    memory_bytes: int | None
    torch_threads: int
    cuda: str | None
    accelerators: list[Accelerator]
    mps: bool


def versions() -> dict[str, str]:
    """Return the version of Python and of every package that figures depend on; "missing" for one that is not there."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "missing"
    return found


def hardware() -> Hardware:
    """Return the processor, memory and accelerators that torch sees."""
    import torch

    return {
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cpu": cpu_name(),
        "cores": cores(),
        "memory_bytes": _memory_bytes(),
        "torch_threads": torch.get_num_threads(),
        "cuda": torch.version.cuda,
        "accelerators": accelerators(),
        "mps": torch.backends.mps.is_available(),
    }


def features() -> dict[str, str | None]:
    """Return the optional abilities by name: None for one that is there, else what would bring it."""
    extras = {extra: None if is_installed(extra) else install_command(extra) for extra in PACKAGES}
    login = None if _wandb_login() else "wandb login; without it runs are recorded offline"
    return extras | {"wandb login": login}


def cpu_name() -> str:
    """Return the processor's model as its maker writes it."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.lower().startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass  # no Linux
    if sys.platform == "darwin":
        command = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
        try:
            return subprocess.run(command, capture_output=True, text=True, check=True, timeout=5).stdout.strip()
        except (OSError, subprocess.SubprocessError):
            pass
    return platform.processor() or platform.machine()


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def load_average() -> float | None:
    """Return how many processes wanted to run in the last minute, where the system says so."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def commit() -> str | None:
    """Return the commit this package stands at, with "+" after it if files were changed; None outside a checkout."""
    folder = Path(__file__).parents[2]
    if not (folder / ".git").exists():
        return None
    command = ["git", "describe", "--always", "--exclude=*", "--abbrev=40", "--dirty=+"]  # no tag instead of the commit
    try:
        found = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip()


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that memory ran out, of the machine or of an accelerator; needs no torch."""
    text = str(error).lower()
    kinds = (kind.__name__ for kind in type(error).__mro__)
    return isinstance(error, MemoryError) or "OutOfMemoryError" in kinds or ("alloc" in text and "memory" in text)


def process_age_s(process: int | None = None) -> float:
    """Return how long a process has been running, this one by default, where the system says so; else 0.

    One that has just been started is a tick of the system's clock old.
    """
    try:
        stat = Path(f"/proc/{process or 'self'}/stat").read_text(encoding="ascii", errors="replace")
        started = int(stat.rpartition(")")[2].split()[19])
        up = float(Path("/proc/uptime").read_text(encoding="ascii").split()[0])
        ticks = os.sysconf("SC_CLK_TCK")
        return max(up - started / ticks, 1 / ticks)
    except (OSError, ValueError, IndexError, AttributeError):
        return 0.0


def available_memory_bytes() -> int | None:
    """Return how much memory new work may take without pushing anything out, as far as the container allows."""
    total = _memory_bytes()
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii", errors="replace").splitlines()
        fields = dict(line.split(":", 1) for line in lines if ":" in line)
        free = int(fields["MemAvailable"].split()[0]) * 1024
    except (OSError, ValueError, KeyError, IndexError):
        return None if total is None else total // 2
    try:
        used = int(Path("/sys/fs/cgroup/memory.current").read_text(encoding="ascii"))
    except (OSError, ValueError):
        used = 0
    return free if total is None else max(min(free, total - used), 0)


def _memory_bytes() -> int | None:
    try:
        physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii").strip()
    except OSError:
        return physical
    return min(physical, int(limit)) if limit.isdigit() else physical


def cache_folder() -> Path | None:
    """Return where what can be made or fetched again is kept: `$INPAINT_HOME`, else `inpaint` in `$XDG_CACHE_HOME`.

    That is `~/.cache/inpaint` by default; None for a user without a home directory, as in containers.
    """
    if own := os.environ.get("INPAINT_HOME"):
        return Path(own).expanduser()
    base = _user_cache()
    return None if base is None else base / "inpaint"


def torch_hub_folder() -> Path | None:
    """Return where torch hub, and programs that follow it, keep what they fetch; torch is not asked."""
    if home := os.environ.get("TORCH_HOME"):
        return Path(home) / "hub" / "checkpoints"
    base = _user_cache()
    return None if base is None else base / "torch" / "hub" / "checkpoints"


def _user_cache() -> Path | None:
    if base := os.environ.get("XDG_CACHE_HOME"):
        return Path(base)
    try:
        return Path.home() / ".cache"
    except RuntimeError:
        return None


@contextmanager
def variable_set(name: str, value: str) -> Iterator[None]:
    """Let the processes that are started in the block find a variable in their environment; ours is as before then."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = before


def _wandb_login() -> bool:
    """Return whether W&B would find a key, without importing it: that takes a second."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    host = urlparse(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).hostname or ""
    path = Path(os.environ.get("NETRC", "~/.netrc")).expanduser()
    try:
        return netrc.netrc(path).authenticators(host) is not None
    except (OSError, netrc.NetrcParseError):
        return False
