"""The public partial-convolution programs' own outputs, from their checkpoints through our importer."""

from __future__ import annotations

import pytest
import torch

from inpaint.registry.loading import load

ORIGINS = {"naoto0804": "naoto0804", "mmagic_pconv": "mmagic"}
LARGEST = {torch.float64: 1e-6, torch.float32: 2e-3}  # largest difference, in standard deviations of the output
MEAN = torch.tensor([0.485, 0.456, 0.406], dtype=torch.float64).view(3, 1, 1)
DEVIATION = torch.tensor([0.229, 0.224, 0.225], dtype=torch.float64).view(3, 1, 1)


@pytest.fixture(scope="module", params=list(ORIGINS))
def case(request, parity, import_public):
    """(format, folder of the import, inputs and outputs)."""
    form = request.param
    return form, import_public(form, origin=ORIGINS[form]), parity.cases(form)


@pytest.mark.parametrize("dtype", LARGEST, ids=str)
def test_both_images_in_one_batch_come_out_as_from_the_program_itself(case, dtype):
    form, folder, arrays = case
    image = torch.from_numpy(arrays["image"]).permute(0, 3, 1, 2).double() / 255
    mask = (torch.from_numpy(arrays["mask"])[:, None] > 127).double()
    raw = load(folder, device="cpu", dtype=dtype).fill(image, mask)[0].raw.double()
    # naoto0804 paints ImageNet-normalized RGB, mmagic BGR between -1 and 1.
    theirs = (raw - MEAN) / DEVIATION if form == "naoto0804" else (2 * raw - 1).flip(1)
    expected = torch.from_numpy(arrays["output"])
    assert (theirs - expected).abs().max() <= LARGEST[dtype] * expected.std()
