"""One ONNX file, opened by ONNX Runtime on a device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from inpaint.errors import InpaintError, UsageError, WeightsError, unknown
from inpaint.runtime.options import RuntimeOptions
from inpaint.system.devices import check_device_name
from inpaint.system.environment import available_memory_bytes, cores, is_out_of_memory
from inpaint.system.extras import import_alone

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
FATAL_ONLY = 4  # severity from which ONNX Runtime prints: what fails is said by us
MEMORY_SHARE = 0.8  # of what is free when the first graph is opened, that all graphs together may take
AS_REQUESTED = 1  # memory grows by what is needed, and not to the next power of two

Provider: TypeAlias = "str | tuple[str, dict[str, int]]"


class Session:
    """A graph that can be run.

    Args:
        path: Of the ONNX file.
        device: "auto" and "cpu" are the CPU; "cuda" and "cuda:NUMBER" need a build of ONNX Runtime for it.
        options: See `RuntimeOptions`.

    Raises:
        MissingDependencyError: ONNX Runtime is not installed.
        UsageError: A device or a provider that is not there.
        WeightsError: The file is damaged, or holds what this version of ONNX Runtime does not know.
    """

    def __init__(self, path: Path, *, device: str = "auto", options: RuntimeOptions | None = None) -> None:
        self.path, chosen = path, options or RuntimeOptions()
        runtime = import_alone("onnxruntime", package="onnxruntime", purpose=f"filling with {path.name}")
        providers = providers_of(device, chosen.providers, available=runtime.get_available_providers())
        settings = runtime.SessionOptions()
        settings.intra_op_num_threads = chosen.threads or cores()
        settings.log_severity_level = FATAL_ONLY
        # Photos come in all sizes: what is kept for one size would stay in memory beside that of the next.
        settings.enable_mem_pattern = False
        if _memory_is_limited(runtime):
            settings.add_session_config_entry("session.use_env_allocators", "1")
        try:
            self._session = runtime.InferenceSession(str(path), settings, providers=providers)
        except Exception as error:  # its classes share no base of their own
            raise WeightsError(f"ONNX Runtime cannot open {path}: {_reason(error)}") from None
        self.providers: tuple[str, ...] = tuple(self._session.get_providers())
        first = providers[0] if isinstance(providers[0], str) else providers[0][0]
        if first not in self.providers:  # it goes on with the CPU in silence
            raise UsageError(f"ONNX Runtime could not start {first} here; leave --device and providers out for the CPU")
        self._outputs = [each.name for each in self._session.get_outputs()]
        self._how = runtime.RunOptions()
        self._how.only_execute_path_to_fetches = True
        self._how.log_severity_level = FATAL_ONLY

    def run(self, inputs: Mapping[str, NDArray[Any]], *, output: str | None = None) -> NDArray[Any]:
        """Return an output of the graph for inputs by name, the first if none is named; what others need is left out.

        Raises:
            MemoryError: Memory ran out.
            InpaintError: The graph fails.
        """
        try:
            (answer,) = self._session.run(
                [output or self._outputs[0]], {name: np.ascontiguousarray(x) for name, x in inputs.items()}, self._how
            )
        except Exception as error:
            if is_out_of_memory(RuntimeError(str(error))):
                raise MemoryError(_reason(error)) from None
            raise InpaintError(f"{self.path} failed in ONNX Runtime: {_reason(error)}") from None
        found: NDArray[Any] = answer
        return found


@cache
def _memory_is_limited(runtime: ModuleType) -> bool:
    """Let graphs take no more memory of this machine than is free, once per process; False where that is unknown.

    Graphs compute attention in one piece, whose memory grows with the square of the pixels. Where it is refused, a
    strategy paints a part smaller; where the system promises more than there is, the process would be killed.
    """
    free = available_memory_bytes()
    if free is None:
        return False
    kind = runtime.OrtAllocatorType.ORT_ARENA_ALLOCATOR
    place = runtime.OrtMemoryInfo("Cpu", kind, 0, runtime.OrtMemType.DEFAULT)
    limits = runtime.OrtArenaCfg({"max_mem": int(MEMORY_SHARE * free), "arena_extend_strategy": AS_REQUESTED})
    runtime.create_and_register_allocator(place, limits)
    return True


def providers_of(device: str, wanted: Sequence[str] | None, *, available: Sequence[str]) -> list[Provider]:
    """Return what computes, in the order of preference.

    Args:
        device: As `Session` takes it.
        wanted: The caller's own choice, for the device "auto" or "cpu".
        available: Those of this build of ONNX Runtime.

    Raises:
        UsageError: A name that is not available, or a device beside names.

    Example:
        >>> providers_of("cuda:1", None, available=[CUDA, CPU])
        [('CUDAExecutionProvider', {'device_id': 1}), 'CPUExecutionProvider']
    """
    check_device_name(device)
    if wanted is not None:
        if not wanted:
            raise UsageError(f"providers: name at least one of {', '.join(available)}")
        for name in wanted:
            if name not in available:
                raise UsageError(unknown("provider of ONNX Runtime", name, available))
        if device not in ("auto", "cpu"):
            raise UsageError(f"providers and --device {device} say both what computes: choose one")
        return list(wanted)
    kind, _, number = device.partition(":")
    if kind in ("auto", "cpu"):
        return [CPU]
    if kind == "cuda" and CUDA in available:
        return [(CUDA, {"device_id": int(number or 0)}), CPU]
    devices = ["auto", "cpu", *["cuda"] * (CUDA in available)]
    raise UsageError(f"{unknown('device', device, devices)} for an ONNX file, with this build of ONNX Runtime")


def _reason(error: Exception) -> str:
    """Return what ONNX Runtime says, in one line without its own places."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = lines[0] if lines else type(error).__name__
    return text.rpartition(" : ")[2][:300] if " : " in text else text[:300]
