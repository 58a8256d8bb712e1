"""Checkpoints as the public DeepFillv2 programs would write them, from networks of ours with lively random weights."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from inpaint.models.deepfill import weights
from inpaint.models.deepfill.network import Network

CONFIGS = {
    "nipponjo": weights.NIPPONJO,
    "nipponjo_tf": weights.NIPPONJO_TF,
    "csqiangwen": weights.CSQIANGWEN,
    "mmagic": weights.MMAGIC,
}
LAYERS = {
    "nipponjo": weights.nipponjo_layers(),
    "nipponjo_tf": weights.nipponjo_tf_layers(),
    "csqiangwen": weights.csqiangwen_layers(),
    "mmagic": weights.mmagic_layers(),
}
ORIGIN = {"nipponjo": "nipponjo", "nipponjo_tf": "nipponjo", "csqiangwen": "csqiangwen", "mmagic": "mmagic"}
IDENTITY = torch.eye(3).view(1, 1, 3, 3)


def network_and_file(form: str) -> tuple[Network, dict[str, Any]]:
    """Return a network and the content of the file from which it should come back."""
    network = Network(CONFIGS[form]).double()
    generator = torch.Generator().manual_seed(0)
    state = {}
    for name, value in network.generator.state_dict().items():
        # Signals keep their size through the gates with 2.4 / sqrt(fan_in).
        gain = 2.4 / value[0].numel() ** 0.5 if value.ndim > 1 else 0.1
        state[name] = torch.randn(value.shape, generator=generator) * gain
    if form == "csqiangwen":
        file, expected = separated(state)
        network.generator.load_state_dict(expected)
        return network, file
    network.generator.load_state_dict(state)
    if form == "mmagic":
        state = {name: in_bgr(name, value) for name, value in state.items()}
    file = {f"{theirs}.{kind}": state[f"{ours}.{kind}"] for ours, theirs in LAYERS[form].items() for kind in KINDS}
    if form == "nipponjo":
        file["stage2.contextual_attention.fuse_weight"] = IDENTITY
        return network, {"G": file, "n_iter": 12000}
    if form == "nipponjo_tf":
        return network, {"G": file}
    file["stage2.contextual_attention_neck.contextual_attention.fuse_kernel"] = IDENTITY
    return network, {
        "meta": {"iter": 1000003, "epoch": 1},
        "state_dict": {f"generator.{name}": value for name, value in file.items()},
    }


KINDS = ("weight", "bias")


def in_bgr(name: str, value: Tensor) -> Tensor:
    """Permute what reads or paints colors, by index."""
    layer, kind = name.split(".")
    if layer in ("conv1", "xconv1", "pmconv1") and kind == "weight":
        return value[:, [2, 1, 0, *range(3, value.shape[1])]]
    if layer in ("conv17", "allconv17"):
        return value[[2, 1, 0, 5, 4, 3]]
    return value


def separated(state: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return (csqiangwen's file, our weights after its spectral norms), from our weights.

    The norm after one iteration is |W v| with v = W^T u / |W^T u|.
    """
    file, expected = dict[str, Tensor](), dict[str, Tensor]()
    generator = torch.Generator().manual_seed(1)
    for ours, theirs in LAYERS["csqiangwen"].items():
        halves = []
        for half, weight, bias in zip(
            ("conv2d", "mask_conv2d"), state[f"{ours}.weight"].chunk(2), state[f"{ours}.bias"].chunk(2), strict=True
        ):
            if ours in ("conv13", "conv15", "allconv13", "allconv15"):
                prefix = f"{theirs}.gated_conv2d.{half}.module"
                u = torch.randn(weight.shape[0], generator=generator)
                v = weight.double().flatten(1).T @ u.double()
                norm = (weight.double().flatten(1) @ (v / v.norm())).norm()
                file |= {f"{prefix}.weight_bar": weight, f"{prefix}.weight_u": u, f"{prefix}.weight_v": v.float()}
                halves.append(weight.double() / norm)
            else:
                prefix = f"{theirs}.{half}"
                file[f"{prefix}.weight"] = weight
                halves.append(weight.double())
            file[f"{prefix}.bias"] = bias
        expected[f"{ours}.weight"] = torch.cat(halves)
        expected[f"{ours}.bias"] = state[f"{ours}.bias"].double()
    return file, expected
