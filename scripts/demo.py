"""Train a small DeepFillv2 on the bundled photographs, fill one photo with it and with Telea, and show both.

Takes minutes on two CPU cores and downloads nothing. The photo that is filled was held out of the training.
"""

import os
import sys
from pathlib import Path

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

import numpy as np
import torch
from PIL import Image

from inpaint import load
from inpaint.cli.main import run
from inpaint.data.config import DataConfig
from inpaint.data.module import InpaintData
from inpaint.files import atomic_write
from inpaint.metrics import psnr_hole
from inpaint.sheets import contact_sheet

FOLDER = Path("demo")
ITERATIONS = 1500
TRAINING = [
    *("train", "model=deepfill", "model.width=16", "model.discriminator.width=16"),
    *("data.root=samples", "data.size=64", "batch_size=8", f"max_iterations={ITERATIONS}"),
    *("optimizers.generator.lr=1e-3", "optimizers.discriminator.lr=1e-3", "losses.adversary.weight=0.02"),
    *("ema.decay=0.99", "validation.every=500", "trainer.accelerator=cpu", f"run.folder={FOLDER / 'run'}"),
    "resume=auto",
]
SHOWN_PX = 160  # side of the photo that is filled


def main() -> int:
    """Train, fill, write the sheet; return the exit status."""
    status = run(TRAINING)
    if status:
        return status
    image, mask = held_out_photo()
    masked = torch.where(mask > 0.5, 0.5, image)
    pictures, headings = [masked], ["masked"]
    for title, model in (("DeepFillv2 (this run)", load(FOLDER / "run", device="cpu")), ("Telea", load("telea"))):
        completed = model.fill(image, mask)[0].completed
        pictures.append(completed)
        headings.append(f"{title}, {psnr_hole(completed, image, mask).item():.1f} dB in the hole")
    sheet = contact_sheet(
        [[to_bytes(picture) for picture in (*pictures, image)]], columns=[*headings, "original"], cell=2 * SHOWN_PX
    )
    path = FOLDER / "contact_sheet.png"
    with atomic_write(path) as temporary:
        Image.fromarray(sheet).save(temporary, format="PNG")
    print(f"contact sheet: {path}")
    return 0


def held_out_photo() -> tuple[torch.Tensor, torch.Tensor]:
    """Return the first validation photo and its mask, (1, 3, S, S) and (1, 1, S, S)."""
    config = DataConfig(root="samples", size=SHOWN_PX, val_masks="brush")
    data = InpaintData(config, batch_size=1, max_iterations=1, seed=0)
    sample = data.validation[0]
    return sample["image"][None], sample["mask"][None]


def to_bytes(picture: torch.Tensor) -> np.ndarray:
    """Round (1, 3, H, W) in [0, 1] to (H, W, 3) uint8."""
    return (picture[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()


if __name__ == "__main__":
    sys.exit(main())
