"""The most memory that a piece of work takes, measured in a process of its own."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from inpaint.errors import InpaintError

if TYPE_CHECKING:
    import torch

Hungry: TypeAlias = "Callable[[dict[str, Any]], torch.device | None]"


def own_process_peak(work: Hungry, setting: Mapping[str, Any], *, what: str) -> int:
    """Return the most bytes that `work(setting)` takes in a process of its own, with as many threads as torch has here.

    On a GPU what torch allocated there, on a CPU the resident memory of the whole process, libraries included; torch is
    one of them only where this process or the work has loaded it.

    Args:
        work: A function of a module; it returns the device that it has computed on, None where that is no torch's.
        setting: What JSON holds.
        what: Names the work in an error.

    Raises:
        InpaintError: The work failed.
    """
    command = [sys.executable, "-m", __name__, work.__module__, work.__qualname__, json.dumps(setting)]
    torch = sys.modules.get("torch")
    threads = "" if torch is None else str(torch.get_num_threads())
    done = subprocess.run([*command, threads], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = done.stderr.strip().rpartition("\n")[2] or f"exit status {done.returncode}"
        raise InpaintError(f"measuring the memory of {what} failed: {last}")
    return int(done.stdout.strip().rpartition("\n")[2])


def _own_peak(device: torch.device | None) -> int:
    if device is not None and device.type == "cuda":
        import torch

        return torch.cuda.max_memory_allocated(device)
    try:
        # What the kernel reports as ru_maxrss begins with the size of the process that started this one.
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        return 1024 * int(status.partition("VmHWM:")[2].split()[0])
    except (OSError, IndexError, ValueError):
        pass  # no Linux
    # Kilobytes, on macOS bytes.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _main(module: str, name: str, setting: str, threads: str) -> None:
    if threads:
        import torch

        torch.set_num_threads(int(threads))
    print(_own_peak(getattr(import_module(module), name)(json.loads(setting))))


if __name__ == "__main__":
    _main(*sys.argv[1:])
