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
# Convolutions of the encoder behind its last level, which the program cuts off.
BEHIND = tuple(f"{place}.{part}" for place in (32, 35, 38, 42, 45, 48, 51) for part in ("weight", "bias"))
PROGRAMS = {
    "nipponjo": ("nipponjo", None, ()),
    "nipponjo_tf": ("nipponjo", None, ()),
    # What is normalized comes back divided, with vectors that give a norm of 1.
    "csqiangwen": ("csqiangwen", None, ("weight_bar", "weight_u", "weight_v")),
    "mmagic": ("mmagic", None, ()),
    "naoto0804": ("naoto0804", None, COUNTS),
    "mmagic_pconv": ("mmagic", None, COUNTS),
    "adain_naoto0804": ("naoto0804", None, BEHIND),
    "wct_irasin": ("irasin", None, ()),
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
    "magenta": ("magenta", None, ()),
    "pytorch_examples": ("pytorch_examples", "epoch_2_2026-01-01_00-00-00_100000.0_10000000000.0.model", ()),
    "ryanwongsa": ("ryanwongsa", None, ()),
    "vcnet": ("vcnet", "generator.npz", ()),
    "vcnet_xyf": ("vcnet_xyf", None, ("weight_orig", "weight_u", "weight_v")),  # up to their lengths
}
LOSSES = "/loss_percep."  # the network of a program's losses, which an import leaves out
# Layers of a discriminator that its program never uses, whose values an import leaves out.
UNUSED = ("module.attn2.alpha", "module.attn2.model.")
SLOW = {"big-lama", "lyndonzheng", "knazeri", "naoto0804", "mmagic_pconv", "lama-regular", "aotgan", "otenim"}
SLOW |= {
    "scfegan",
    "erasenet",
    "jiahuiyu",
    "jiahuiyu_guided",
    "nipponjo_tf",
    "vcnet",
    "vcnet_xyf",
    "adain_naoto0804",
    "wct_irasin",
    "magenta",
    "ryanwongsa",
}


def written(parity, name, folder):
    """The files of a program, or the one that is meant."""
    origin, only, _ = PROGRAMS[name]
    program = origin if only else name
    if only is None or only.endswith((".npz", ".model")):
        return origin, [path for path in parity.write(program, folder) if only in (None, path.name)]
    layout = json.loads((parity.HERE / program / "layout.json").read_text())
    entry = next(file for file in layout["files"] if file["name"] == only)
    state = {key: torch.from_numpy(value) for key, value in parity.values(program, entry).items()}
    torch.save({"state_dict": state, **entry["extra"]}, folder / only)
    return origin, [folder / only]


def entries(path):
    """All tensors of a file by their places."""
    return {
        f"{part.place}/{name}": value
        for part in state_dicts(load_foreign(path))
        for name, value in part.entries.items()
    }


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n in SLOW else n for n in PROGRAMS])
def test_what_was_imported_is_written_as_it_came(parity, name, tmp_path):
    (tmp_path / "theirs").mkdir()
    origin, files = written(parity, name, tmp_path / "theirs")
    run = import_weights(origin, [str(path) for path in files], tmp_path / "run").folder
    done = export_origin(run, tmp_path / "ours", origin=origin)
    ours = {path.name: path for path in done.files} if len(done.files) > 1 else {files[0].name: done.files[0]}
    assert ours.keys() == {path.name for path in files}
    for path in files:
        theirs, again = entries(path), entries(ours[path.name])
        theirs = {key: value for key, value in theirs.items() if LOSSES not in key}
        assert again.keys() == theirs.keys()
        for key, value in theirs.items():
            if key.endswith(PROGRAMS[name][2]) or key.rpartition("/")[2].startswith(UNUSED):
                assert again[key].shape == value.shape, key
            else:
                assert torch.equal(again[key].double(), value.double()), key
            if name == "lyndonzheng" and key.endswith("weight_u") and not key.rpartition("/")[2].startswith(UNUSED):
                assert torch.allclose(again[key].float(), value, rtol=0, atol=1e-6), key
    back = import_weights(origin, [str(path) for path in done.files], tmp_path / "back").folder
    assert back.exists()
