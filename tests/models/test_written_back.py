"""Public programs' checkpoints, imported and written back: the files hold the same entries again."""

from __future__ import annotations

import json

import pytest
import torch

from inpaint.export.origin import export_origin
from inpaint.registry.conversion import import_weights
from inpaint.weights.foreign import load_foreign, state_dicts

# Of each program: its name for `import-weights`, the files, and the ends of names that come back otherwise.
COUNTS = ("num_batches_tracked",)
PROGRAMS = {
    "nipponjo": ("nipponjo", None, ()),
    "nipponjo_tf": ("nipponjo", None, ()),
    # What is normalized comes back divided, with vectors that give a norm of 1.
    "csqiangwen": ("csqiangwen", None, ("weight_bar", "weight_u", "weight_v")),
    "mmagic": ("mmagic", None, ()),
    "naoto0804": ("naoto0804", None, COUNTS),
    "mmagic_pconv": ("mmagic", None, COUNTS),
    "knazeri": ("knazeri", None, ()),
    # Left vectors up to their sizes in float32; right ones are those of the first pass, which is when they are read.
    "lyndonzheng": ("lyndonzheng", None, ("weight_u", "weight_v")),
    "lama-lfu": ("advimman", "lama-lfu.ckpt", COUNTS),
    "lama-regular": ("advimman", "lama-regular.ckpt", COUNTS),
    "big-lama": ("advimman", "big-lama.ckpt", COUNTS),
    "aotgan": ("aotgan", None, ()),
    "jiahuiyu": ("jiahuiyu", None, ("kernel_sn/u",)),  # up to their lengths
    "jiahuiyu_guided": ("jiahuiyu", None, ("kernel_sn/u",)),
    "scfegan": ("scfegan", None, ("biases2",)),  # which the program computes with in vain
    "otenim": ("otenim", None, COUNTS),
    "erasenet": ("erasenet", None, COUNTS),
}
LOSSES = "/loss_percep."  # the network of a program's losses, which an import leaves out
# Layers of a discriminator that its program never uses, whose values an import leaves out.
UNUSED = ("module.attn2.alpha", "module.attn2.model.")
