import pytest
import torch
from sklearn.metrics import f1_score, jaccard_score, precision_score, recall_score

from inpaint.errors import InputError
from inpaint.metrics import Compared, measured, measures

SCORES = {
    "mask_precision": precision_score,
    "mask_recall": recall_score,
    "mask_f1": f1_score,
    "mask_iou": jaccard_score,
}
WANTED = measures([*SCORES]).of_images


def scores(found, mask):
    image = torch.zeros(len(mask), 3, *mask.shape[-2:])
    return measured(Compared(completed=image, image=image, mask=mask, found=found), WANTED)


def test_scores_are_those_of_scikit_learn():
    draw = torch.Generator().manual_seed(0)
    soft, mask = torch.rand(3, 1, 7, 9, generator=draw), (torch.rand(3, 1, 7, 9, generator=draw) < 0.4).float()
    values = scores(soft, mask)
    for name, function in SCORES.items():
        expected = [function(mask[i].flatten() > 0.5, soft[i].flatten() > 0.5) for i in range(3)]
        assert values[name].tolist() == pytest.approx(expected, rel=1e-12)


def test_where_there_is_no_hole_finding_none_is_right_and_finding_one_is_wrong():
    nothing, something = torch.zeros(1, 1, 4, 5), torch.zeros(1, 1, 4, 5)
    something[..., 1, 2:] = 1
    assert [value.item() for value in scores(nothing, nothing).values()] == [1, 1, 1, 1]
    assert [value.item() for value in scores(something, nothing).values()] == [0, 0, 0, 0]
    assert [value.item() for value in scores(nothing, something).values()] == [0, 0, 0, 0]
    assert [value.item() for value in scores(something, something).values()] == [1, 1, 1, 1]


def test_a_model_that_finds_no_mask_is_not_measured():
    image, mask = torch.zeros(1, 3, 4, 5), torch.ones(1, 1, 4, 5)
    compared = Compared(completed=image, image=image, mask=mask)
    assert not any(measure.counts(compared).any() for measure in WANTED)
    with pytest.raises(InputError, match="mask_precision needs the mask that a blind model found"):
        WANTED[0].values(compared)


def test_the_cross_entropy_is_torchs():
    draw = torch.Generator().manual_seed(1)
    soft, mask = torch.rand(3, 1, 5, 7, generator=draw), (torch.rand(3, 1, 5, 7, generator=draw) < 0.4).float()
    image = torch.zeros(3, 3, 5, 7)
    compared = Compared(completed=image, image=image, mask=mask, found=soft)
    (found,) = measured(compared, measures(["mask_bce"]).of_images).values()
    expected = torch.nn.functional.binary_cross_entropy(soft.double(), mask.double(), reduction="none").mean((1, 2, 3))
    assert found.tolist() == pytest.approx(expected.tolist(), rel=1e-9)


def test_a_certain_map_is_finitely_wrong():
    image, mask = torch.zeros(2, 3, 4, 5), torch.ones(2, 1, 4, 5)
    found = torch.stack((mask[0], 0 * mask[0]))
    compared = Compared(completed=image, image=image, mask=mask, found=found)
    (values,) = measured(compared, measures(["mask_bce"]).of_images).values()
    assert values.tolist() == pytest.approx([0, 13.8155], abs=1e-4)
