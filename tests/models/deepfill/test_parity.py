"""The four public programs' own outputs, from their checkpoints through our importer."""

from __future__ import annotations

import pytest
import torch

from inpaint.registry.loading import load

ORIGINS = {"nipponjo": "nipponjo", "nipponjo_tf": "nipponjo", "csqiangwen": "csqiangwen", "mmagic": "mmagic"}
LARGEST = {torch.float64: 1e-6, torch.float32: 2e-3}  # largest difference, in standard deviations of the output
PAIRS = {"64 rows": "", "128x128": "b_"}


@pytest.fixture(scope="module", params=list(ORIGINS))
def case(request, parity, import_public):
    """(format, folder of the import, inputs and outputs)."""
    form = request.param
    return form, import_public(form, origin=ORIGINS[form]), parity.cases(form)


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
@pytest.mark.parametrize("dtype", LARGEST, ids=str)
def test_both_images_in_one_batch_come_out_as_from_the_program_itself(case, dtype, pair):
    form, folder, arrays = case
    image = torch.from_numpy(arrays[f"{pair}image"]).permute(0, 3, 1, 2).double() / 255
    mask = (torch.from_numpy(arrays[f"{pair}mask"])[:, None] > 127).double()
    fill = load(folder, device="cpu", dtype=dtype).fill(image, mask)[0]
    for name, got in (("output", fill.raw), ("coarse", fill.aux["coarse"])):
        expected = torch.from_numpy(arrays[f"{pair}{name}"])
        theirs = got.double() if form == "csqiangwen" else 2 * got.double() - 1
        assert (theirs - expected).abs().max() <= LARGEST[dtype] * expected.std(), name
