"""Train a small DeepFillv2 on the bundled photographs, fill one photo with it and with Telea, and show both.

Takes minutes on two CPU cores and downloads nothing. The photo that is filled is held out of the training: the cat is
always a validation photograph of `data.root=samples`.
"""

import os
import sys
from pathlib import Path

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

import numpy as np
import torch
from PIL import Image
from skimage.data import chelsea

from inpaint import load
from inpaint.cli.main import run
from inpaint.images.sheets import contact_sheet
from inpaint.masks import parse_mask
from inpaint.metrics import psnr_hole
from inpaint.system.files import atomic_write
from inpaint.training.panels import to_bytes

FOLDER = Path("demo")
ITERATIONS = 1200
TRAINING = [
    *("train", "model=deepfill", "model.width=16", "model.discriminator.width=16", "model.initialization=kaiming"),
    *("data.root=samples", "data.size=64", "batch_size=8", f"max_iterations={ITERATIONS}", "validation.every=400"),
    *("optimizers.generator.lr=1e-3", "optimizers.generator.schedule.kind=cosine", "optimizers.discriminator.lr=1e-3"),
    *("losses.adversary.weight=0.005", "ema.decay=0.99", f"run.folder={FOLDER / 'run'}", "resume=auto"),
    # Maps this small gain nothing from a second thread, which would wait for the first and for the loader.
    *("trainer.accelerator=cpu", "trainer.threads=1", "data.workers=1"),
]
SIDE_PX = 192


def main() -> int:
    """Train, fill, write the sheet; return the exit status."""
    status = run(TRAINING)
    if status:
        return status
    image, mask = held_out_photo()
    pictures, headings = [torch.where(mask > 0.5, 0.5, image)], ["masked"]
    for title, model in (("DeepFillv2, this run", load(FOLDER / "run", device="cpu")), ("Telea", load("telea"))):
        completed = model.fill(image, mask)[0].completed
        pictures.append(completed)
        headings.append(f"{title}\n{psnr_hole(completed, image, mask).item():.1f} dB in the hole")
    row = [to_bytes(picture[0]) for picture in (*pictures, image)]
    sheet = contact_sheet([row], columns=[*headings, "original"], cell=int(1.5 * SIDE_PX))
    path = FOLDER / "contact_sheet.png"
    with atomic_write(path) as temporary:
        Image.fromarray(sheet).save(temporary, format="PNG")
    print(f"contact sheet: {path}")
    return 0


def held_out_photo() -> tuple[torch.Tensor, torch.Tensor]:
    """Return the cat's face at native resolution and a free-form mask, (1, 3, S, S) and (1, 1, S, S)."""
    face = chelsea()[60 : 60 + SIDE_PX, 130 : 130 + SIDE_PX]  # type: ignore[no-untyped-call]
    mask = parse_mask("brush").draw(np.random.default_rng(1), SIDE_PX, SIDE_PX)
    image = torch.from_numpy(face.copy()).permute(2, 0, 1)[None].float() / 255
    return image, torch.from_numpy(mask)[None, None].float()


if __name__ == "__main__":
    sys.exit(main())
