"""EfficientNet-Lite0 against its publishers' own code; the figures were noted from a run of that code."""

import pytest
import torch

from inpaint.errors import WeightsError
from inpaint.nn.efficientnet import EfficientNetLite0, normalized
from inpaint.system.extras import is_installed

needs_package = pytest.mark.skipif(not is_installed("offline-features"), reason="needs the extra 'offline-features'")


def waves(height=224, width=224):
    """An image of saw teeth, (1, 3, H, W)."""
    rows, columns = torch.meshgrid(torch.arange(float(height)), torch.arange(float(width)), indexing="ij")
    return torch.stack(((rows % 32) / 31, (columns % 48) / 47, ((rows + columns) % 64) / 63))[None]


@needs_package
def test_features_are_those_of_the_publishers_code():
    """efficientnet-lite-pytorch 0.1.0 with the same file: pooled `extract_features`, blocks 0, 2, 4, 10 and 15."""
    found = EfficientNetLite0()(normalized(waves()))
    largest = found.pooled[0].topk(6)
    assert largest.indices.tolist() == [512, 113, 423, 900, 468, 853]
    assert largest.values.tolist() == pytest.approx([3.9268, 3.6055, 3.5987, 3.4290, 3.3872, 3.2162], abs=2e-4)
    assert found.pooled.norm().item() == pytest.approx(15.2338, abs=1e-3)
    assert [tuple(x.shape[1:]) for x in found.scales] == [
        (16, 112, 112),
        (24, 56, 56),
        (40, 28, 28),
        (112, 14, 14),
        (320, 7, 7),
    ]
    means = [x.abs().mean().item() for x in found.scales]
    assert means == pytest.approx([5.66463, 9.28017, 9.00375, 6.10491, 1.64989], abs=2e-4)


def test_random_weights_are_seeded_leave_the_random_state_alone_and_are_warned_of(caplog):
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    ours, again = EfficientNetLite0(weights="random"), EfficientNetLite0(weights="random")
    assert torch.equal(torch.random.get_rng_state(), before)
    assert "random weights" in caplog.text
    x = normalized(waves(33, 47))
    assert torch.equal(ours(x).pooled, again(x).pooled)
    assert ours(x).pooled.std() > 0
    assert [tuple(y.shape[-2:]) for y in ours(x).scales] == [(17, 24), (9, 12), (5, 6), (3, 3), (2, 2)]


def test_the_network_is_frozen_and_stays_in_evaluation_mode():
    network = EfficientNetLite0(weights="random").train()
    assert not any(module.training for module in network.modules())
    assert not any(each.requires_grad for each in network.parameters())


def test_a_checkpoint_of_something_else_is_refused(tmp_path):
    torch.save({"_conv_stem.weight": torch.zeros(2)}, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match=r"other\.pth is no checkpoint of EfficientNet-Lite0"):
        EfficientNetLite0(weights=str(tmp_path / "other.pth"))
