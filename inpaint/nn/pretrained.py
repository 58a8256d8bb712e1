"""Weights of public networks, fetched once into torch hub's folder: where they lie, and how they come there."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeAlias

import torch

from inpaint.errors import WeightsError
from inpaint.weights.foreign import load_foreign

Backbone: TypeAlias = Literal["vgg16", "vgg19", "alexnet", "squeezenet1_1"]

log = logging.getLogger("inpaint.nn")


@dataclass(frozen=True)
class Pretrained:
    """A public file of weights.

    url: where it is published; a hash of its content may stand behind the last "-" of its name. megabytes: its size.
    place: where another program keeps it below TORCH_HOME, which then serves both.
    """

    url: str
    megabytes: int
    place: str | None = None

    @property
    def file(self) -> Path:
        """Where it is kept: the folder `checkpoints` of `torch.hub.get_dir()`, which TORCH_HOME moves, or `place`."""
        hub = Path(torch.hub.get_dir())
        return hub / "checkpoints" / self.url.rpartition("/")[2] if self.place is None else hub.parent / self.place

    @property
    def hash_prefix(self) -> str | None:
        """The beginning of the content's SHA-256, where the name tells it."""
        found = re.search(r"-([0-9a-f]{8,})$", self.url.rpartition("/")[2].rpartition(".")[0])
        return None if found is None else found[1]

    def fetched(self, *, purpose: str, otherwise: str = "") -> Path:
        """Return the file, fetched if it is not there yet.

        Args:
            purpose: What it is needed for, for the message: "the losses".
            otherwise: What may be done instead of putting the file there: ", or ...".

        Raises:
            WeightsError: It cannot be had; one line that says which file to put where.
        """
        reason = None if self.file.exists() else _fetch(self, self.file)
        if reason:
            raise WeightsError(
                f"{self.file.name}, needed for {purpose}, cannot be fetched ({reason}): put the file from {self.url} "
                f"at {self.file}{otherwise}"
            )
        return self.file

    def state(self, *, purpose: str, otherwise: str = "") -> Any:
        """Return its content; otherwise as `fetched`. Raises WeightsError also where it is damaged."""
        return load_foreign(self.fetched(purpose=purpose, otherwise=otherwise))


def torchvision_weights(name: Backbone) -> Pretrained:
    """Return torchvision's weights for ImageNet of one of its networks."""
    from torchvision.models import AlexNet_Weights, SqueezeNet1_1_Weights, VGG16_Weights, VGG19_Weights

    weights, megabytes = {
        "vgg16": (VGG16_Weights, 530),
        "vgg19": (VGG19_Weights, 550),
        "alexnet": (AlexNet_Weights, 230),
        "squeezenet1_1": (SqueezeNet1_1_Weights, 5),
    }[name]
    return Pretrained(weights.IMAGENET1K_V1.url, megabytes)


@cache  # whoever asks next in this process need not wait for the same failure
def _fetch(wanted: Pretrained, file: Path) -> str | None:
    """Fetch a file; return why that is impossible, or None."""
    log.warning("fetching %s (about %d MB) to %s", wanted.url, wanted.megabytes, file)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(wanted.url, str(file), hash_prefix=wanted.hash_prefix, progress=False)
    except (OSError, RuntimeError) as error:  # no network, no permission, a damaged download
        return str(error).strip().split("\n")[0] or type(error).__name__
    return None
