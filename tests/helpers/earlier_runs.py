"""Builds run folders as version 0.1.0 wrote them, from a description of their names, shapes and settings.

The numbers are drawn, not stored: every tensor has a generator of its own, seeded by its name. What version 0.1.0 made
of such a folder (a fill, the losses of two further iterations) stands in the description, under "expected".
"""

import json
from pathlib import Path
from zlib import crc32

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file

FOLDER = Path(__file__).parent / "runs_0_1_0"


class EarlierRun:
    """One run folder of version 0.1.0."""

    def __init__(self, model: str) -> None:
        self.description = json.loads((FOLDER / f"{model}.json").read_text())
        self.expected = self.description["expected"]

    def write(self, folder: Path, photos: Path) -> Path:
        """Write config.yaml, last.ckpt and model.safetensors into a folder, trained on photos in another."""
        folder.mkdir()
        (folder / "config.yaml").write_text(self.description["config.yaml"].replace("PHOTOS", str(photos)))
        torch.save(self.checkpoint(), folder / "last.ckpt")
        weights = self.description["weights"]
        tensors = {name: value.clone() for name, value in self.networks().items() if name in weights["tensors"]}
        save_file(tensors, folder / "model.safetensors", {"inpaint": json.dumps(weights["metadata"]), "format": "pt"})
        return folder

    def networks(self) -> dict[str, torch.Tensor]:
        """Return all networks, names of discriminators with their roles before them."""
        checkpoint = self.description["checkpoint"]
        return drawn({**checkpoint["network"], **checkpoint["discriminators"]})

    def checkpoint(self) -> dict:
        """Return what last.ckpt holds."""
        state = dict(self.description["checkpoint"])
        networks = self.networks()
        for section in ("network", "discriminators"):
            state[section] = {name: networks[name] for name in state[section]}
        state["average"] = {name: networks[name].clone() for name in state["average"]}
        state["optimizers"] = {
            role: {
                "state": {
                    number: {
                        "step": torch.tensor(float(state["iteration"])),
                        "exp_avg": 1e-3 * draw(f"{role}.{number}", shape),
                        "exp_avg_sq": 1e-4 * draw(f"{role}.{number}.square", shape).square() + 1e-6,
                    }
                    for number, shape in enumerate(optimizer["shapes"])
                },
                "param_groups": [
                    {**group, "betas": tuple(group["betas"]), "params": list(range(len(optimizer["shapes"])))}
                    for group in optimizer["param_groups"]
                ],
            }
            for role, optimizer in state["optimizers"].items()
        }
        return state


def draw(name: str, shape: list[int]) -> torch.Tensor:
    """Return normal numbers of a name's own generator."""
    return torch.from_numpy(np.random.default_rng(crc32(name.encode())).standard_normal(shape)).float()


def drawn(shapes: dict[str, list[int]]) -> dict[str, torch.Tensor]:
    """Return values as a short training might have left them: a scale that keeps activations near 1."""
    values = {}
    for name, shape in shapes.items():
        last = name.rpartition(".")[2]
        if last == "num_batches_tracked":
            values[name] = torch.tensor(2)
        elif last == "running_var":
            values[name] = 1 + 0.2 * draw(name, shape).abs()
        elif len(shape) > 1:
            values[name] = draw(name, shape) / np.sqrt(np.prod(shape[1:]))
        elif last == "weight":
            values[name] = 1 + 0.1 * draw(name, shape)  # of a normalization
        else:
            values[name] = 0.1 * draw(name, shape)
    for name in shapes:
        if name.endswith(".0._u"):  # spectral normalization: the singular vectors of the largest singular value
            weight = values[name.removesuffix("0._u") + "original"]
            transposed = weight.shape[0] != shapes[name][0]
            matrix = (weight.transpose(0, 1) if transposed else weight).flatten(1)
            left, _, right = np.linalg.svd(matrix.double().numpy(), full_matrices=False)
            sign = np.sign(left[np.abs(left[:, 0]).argmax(), 0])
            values[name] = torch.from_numpy(sign * left[:, 0]).float()
            values[name.removesuffix("_u") + "_v"] = torch.from_numpy(sign * right[0]).float()
    return values


def write_photos(folder: Path, model: str) -> Path:
    """Write three photos of 64 x 80 pixels to train on and one to validate on, without help of the program.

    DeepFill's are gray: 0.1.0 drew sketches from another luma of colors than later versions do.
    """
    (folder / "val").mkdir(parents=True)
    y, x = np.mgrid[0:64, 0:80]
    for number, name in enumerate(("0", "1", "2", "val/3")):
        waves = np.stack([np.sin(x / (5 + number)), np.cos(y / 6), np.sin((x + 2 * y) / 9)], axis=-1)
        pixels = 120 + 70 * waves + 40.0 * (x > y + 5 * number)[..., None]
        if model == "deepfill":
            pixels = pixels[..., :1].repeat(3, axis=-1)
        Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(folder / f"{name}.png")
    return folder


def request() -> tuple[torch.Tensor, torch.Tensor]:
    """Return the image (1, 3, 64, 64) and mask (1, 1, 64, 64) that the expected fills belong to."""
    y, x = torch.meshgrid(torch.arange(64), torch.arange(64), indexing="ij")
    image = torch.stack([0.5 + 0.4 * torch.sin(x / 7), 0.5 + 0.4 * torch.cos(y / 5), ((x + y) % 32) / 32])[None]
    mask = ((x > 20) & (x < 44) & (y > 16) & (y < 40))[None, None].float()
    return image.float(), mask


def probes(raw: torch.Tensor) -> list[float]:
    """Return what is compared of a painted image (1, 3, 64, 64): the means of 4 x 4 blocks of the hole."""
    return raw[..., 20:40:5, 24:44:5].flatten().tolist()
