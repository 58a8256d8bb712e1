"""Layers that compute once, when training is over, what they would otherwise compute in every pass."""

from __future__ import annotations

from typing import ClassVar, Self

import torch
from torch import nn

from inpaint.nn.spectral import remove_spectral_norm


class Prepared(nn.Module):
    """Base of a layer that can be prepared for inference.

    `prepared` names the buffers that hold what is computed once. The layer registers them as None and not persistent,
    so that they are no part of its state dict, and fills them in `prepare_for_inference`; they are None again when
    training begins. Beside another layer it comes second: `class GatedConv2d(PaddedConv2d, Prepared)`.
    """

    prepared: ClassVar[tuple[str, ...]] = ()

    def prepare_for_inference(self) -> None:
        """Compute once what does not change any more, for use without gradients. Call it again when weights change."""
        raise NotImplementedError

    def train(self, mode: bool = True) -> Self:
        """Forget what was prepared for inference when training begins."""
        if mode:
            for name in self.prepared:
                setattr(self, name, None)
        return super().train(mode)


def prepare_for_inference(network: nn.Module) -> None:
    """Prepare every layer that can be, for networks that train no more.

    Spectral norms are divided out, then each `Prepared` layer computes what it needs once. The network computes the
    same up to rounding.

    Args:
        network: Any network; it is left in evaluation mode, its spectral norms are gone for good.
    """
    remove_spectral_norm(network)
    for layer in list(network.modules()):
        if isinstance(layer, Prepared):
            layer.prepare_for_inference()


def exporting() -> bool:
    """Return whether the network is being traced for another program, which wants plain operations of any size."""
    tracing: bool = torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
    return tracing or torch.compiler.is_exporting() or torch.onnx.is_in_onnx_export()


def block_bytes(per_thread: int) -> int:
    """Return how large a block of work without gradients may be on a CPU, when each thread's share is to stay in cache.

    With more threads, as many blocks of one size would each give every thread less to do between two waits for all.
    """
    return per_thread * torch.get_num_threads()
