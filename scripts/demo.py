"""Train a small network on a photo of a brick wall, then take a painted word off the wall with it.

    python scripts/demo.py

Takes minutes on two CPU cores and downloads nothing. The photo is one of scikit-image's. The network (partial
convolutions, without the losses that need VGG's weights) is trained on the squares of this very photo that the word
does not touch: it learns this wall and nothing else, and what lies below the word is never shown to it. Beside it
stand fills that learn nothing.
"""

import os
import sys
from pathlib import Path

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from skimage.data import brick

from inpaint import load
from inpaint.cli.main import run
from inpaint.evaluation.measure import fill_and_measure
from inpaint.images.sheets import contact_sheet
from inpaint.system.files import atomic_write

FOLDER = Path("demo")
ITERATIONS = 3500
SIDE_PX = 384  # of the photo, made smaller from 512
CROP_PX = 96  # some four bricks beside each other
STEP_PX = 8  # from one square to the next
CELL_PX = 256  # of the sheet
WORD, LETTERS_PX, STROKE_PX = "inpaint", 102, 4
RED = (230, 51, 26)
LETTERS = "{kind: text, lines: [1, 2], height: [0.4, 0.9], weight: [0.2, 0.4]}"
BRUSH = "{kind: brush, strokes: [1, 2], vertices: [3, 6], width_px: [20, 72]}"
TRAINING = (
    *("model=pconv", "model.width=16", "losses.perceptual=null", "losses.style=null", "losses.variation=null"),
    *(f"data.size={CROP_PX}", f"data.masks=[{LETTERS}, {BRUSH}]", "batch_size=8", "ema.decay=0.99"),
    *("optimizers.generator.lr=2e-3", "optimizers.generator.schedule.kind=cosine", "resume=auto"),
    # Maps this small gain nothing from a second thread, which would wait for the first and for the loader.
    *("trainer.accelerator=cpu", "trainer.threads=1", "data.workers=1"),
)


def main(folder: Path = FOLDER, iterations: int = ITERATIONS) -> int:
    """Train, fill and write `folder`/contact_sheet.png; return the exit status."""
    wall, word = photo(), painted_word()
    cut(wall, word, folder / "wall")
    place = (f"data.root={folder / 'wall'}", f"run.folder={folder / 'run'}")
    length = (f"max_iterations={iterations}", f"validation.every={iterations}")
    status = run(["train", *TRAINING, *place, *length])
    if status:
        return status
    row, headings = [np.where(word[..., None] == 1, np.array(RED, np.uint8), wall)], ["painted over"]
    learned = load(folder / "run", device="cpu")
    for title, model in (("learned, this run", learned), ("Telea", load("telea")), ("patch", load("patch"))):
        result = fill_and_measure(model, wall, word, seed=0)
        row.append(result.completed)
        headings.append(f"{title}\n{result.values['psnr_hole']:.1f} dB in the hole")
    sheet = contact_sheet(
        [[*row, wall]],
        columns=[*headings, "original"],
        title=f"Learned: a small partial-convolution U-Net after {iterations} iterations on squares of this very photo "
        "that the word does not touch. Telea and patch learn nothing.",
        cell=CELL_PX,
    )
    path = folder / "contact_sheet.png"
    with atomic_write(path) as temporary:
        Image.fromarray(sheet).save(temporary, format="PNG", optimize=True)
    print(f"contact sheet: {path}")
    return 0


def photo() -> NDArray[np.uint8]:
    """Return the wall, (S, S, 3)."""
    wall = Image.fromarray(brick()).convert("RGB")  # type: ignore[no-untyped-call]
    return np.array(wall.resize((SIDE_PX, SIDE_PX), Image.Resampling.LANCZOS))


def painted_word() -> NDArray[np.uint8]:
    """Return the mask of the word in the middle of the wall, (S, S), 1 = hole."""
    canvas = Image.new("L", (SIDE_PX, SIDE_PX))
    font = ImageFont.load_default(size=LETTERS_PX)
    middle = (SIDE_PX / 2, SIDE_PX / 2)
    ImageDraw.Draw(canvas).text(middle, WORD, fill=255, font=font, anchor="mm", stroke_width=STROKE_PX)
    return (np.asarray(canvas) >= 128).astype(np.uint8)


def cut(wall: NDArray[np.uint8], word: NDArray[np.uint8], folder: Path) -> None:
    """Write the squares of the wall that do not touch the word, to train on."""
    folder.mkdir(parents=True, exist_ok=True)
    for top in range(0, SIDE_PX - CROP_PX + 1, STEP_PX):
        for left in range(0, SIDE_PX - CROP_PX + 1, STEP_PX):
            square = slice(top, top + CROP_PX), slice(left, left + CROP_PX)
            if not word[square].any():
                Image.fromarray(wall[square]).save(folder / f"{top:03}_{left:03}.png")


if __name__ == "__main__":
    sys.exit(main())
