"""Fills that processes of a test can import."""

import os
import signal
import time

import numpy as np

from inpaint.fills.array_fill import ArrayFill
from inpaint.registry.loadable import Loadable
from inpaint.types import Capabilities


class Deadly(Loadable):
    """A fill with gray that ends its process at a black photo."""

    def load(self, device):
        return Mortal()


class Mortal(ArrayFill):
    name = "mortal"
    capabilities = Capabilities()

    def paint(self, image, hole, context):
        if not image.any():
            os.kill(os.getpid(), signal.SIGKILL)
        return np.full_like(image, 0.5)


class Slow(Loadable):
    """A fill with the mean that takes a while."""

    def load(self, device):
        return Slowly()


class Slowly(ArrayFill):
    name = "slowly"
    capabilities = Capabilities()

    def paint(self, image, hole, context):
        time.sleep(0.3)
        return np.full_like(image, image.mean())
