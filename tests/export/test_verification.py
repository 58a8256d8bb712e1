"""What `--verify` compares with: the network in float64, so that a file answers for its own rounding alone."""

from copy import deepcopy

import pytest
import torch

from inpaint.export.networks import network_of
from inpaint.export.verification import differences, exact


@pytest.fixture
def exported(run_of):
    return network_of(run_of("aotgan"))


def test_what_paints_in_float64_differs_by_nothing_and_what_rounds_differs(exported):
    network = deepcopy(exported.network).double()

    @torch.no_grad()
    def run(named):
        return network.paint_graph(**{name: value.double() for name, value in named.items()}).numpy()

    assert set(differences(run, exported).values()) == {0.0}

    def rounded(named):
        return run(named).astype("float16")

    assert min(differences(rounded, exported).values()) > 1e-4


def test_the_network_itself_stays_in_float32(exported):
    paint = exact(exported)
    image, mask = torch.rand(1, 3, 40, 36), torch.zeros(1, 1, 40, 36)
    assert paint(image, mask).dtype == torch.float64
    assert {value.dtype for value in exported.network.parameters()} == {torch.float32}
