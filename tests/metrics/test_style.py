"""Distances from a photo and from a style, against torchvision's own network and sums written out."""

import hashlib
import re

import numpy as np
import pytest
import torch

from backbones import features_of
from inpaint.errors import UsageError, WeightsError
from inpaint.metrics import Compared, Sets, measured, measures
from inpaint.metrics.sets import ArtFID
from inpaint.metrics.style import ContentShare, StyleShare

CONTENT, STYLE = 20, (1, 6, 11, 18, 25)  # places in torchvision's VGG-16: relu4_2; the first ReLU of each block


def compared(**other):
    draw = torch.Generator().manual_seed(0)
    image, completed = (torch.rand(1, 3, 32, 36, generator=draw) for _ in range(2))
    style = torch.rand(1, 3, 40, 32, generator=draw)
    mask = torch.ones(1, 1, 32, 36)
    return Compared(**{"completed": completed, "image": image, "mask": mask, "style": style, **other})


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Torchvision's network and its file."""
    network, file = features_of("vgg16"), tmp_path_factory.mktemp("weights") / "vgg16.pth"
    torch.save(network.state_dict(), file)
    return network, file


def seen(network, image):
    """Return the layers' features (C, h w) as NumPy, by place."""
    mean, deviation = (torch.tensor(x).view(3, 1, 1) for x in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    x, found = (image - mean) / deviation, {}
    with torch.no_grad():
        for place, layer in enumerate(network.features[:26]):
            x = layer(x)
            found[place] = x[0].flatten(1).double().numpy().copy()
    return found


def test_distances_are_shares_of_the_features_and_gram_matrices_that_are_wanted(weights):
    network, file = weights
    case = compared()
    painted, photo, style = (seen(network, image) for image in (case.completed, case.image, case.style))
    content = ((painted[CONTENT] - photo[CONTENT]) ** 2).sum() / (photo[CONTENT] ** 2).sum()
    shares = []
    for place in STYLE:
        ours, wanted = (x[place] @ x[place].T / x[place].shape[1] for x in (painted, style))
        shares.append(((ours - wanted) ** 2).sum() / (wanted**2).sum())
    mark = hashlib.sha256(file.read_bytes()).hexdigest()[:8]
    found = measured(case, measures(["content_vgg16", "style_vgg16"], features={"vgg16": str(file)}).of_images)
    assert found[f"content_vgg16_{mark}"].item() == pytest.approx(content, rel=1e-4)
    assert found[f"style_vgg16_{mark}"].item() == pytest.approx(np.mean(shares), rel=1e-4)


def test_the_photo_itself_and_the_style_itself_are_at_distance_zero():
    case = compared()
    same, painted = compared(completed=case.image), compared(completed=case.image, style=case.image)
    assert ContentShare("vgg16", "random").values(same).item() == 0
    assert StyleShare("vgg16", "random").values(painted).item() == 0
    assert StyleShare("vgg16", "random").values(same).item() > 0


def test_a_style_is_not_measured_where_none_is_given():
    measure = StyleShare("vgg16", "random")
    assert not measure.applies(compared(style=None))
    assert measure.lacks(()) == "it needs a picture whose style is wanted"


def test_weights_of_ones_own_are_told_by_a_mark_and_a_record_of_them_names_the_way_out(weights):
    _, file = weights
    (made,) = measures(["style_vgg16"], features={"vgg16": str(file)}).of_images
    assert re.fullmatch(r"style_vgg16_[0-9a-f]{8}", made.name)
    assert made.mark in made.title
    assert measures([made.name], features={"vgg16": str(file)}).of_images[0].missing() is None
    (recorded,) = measures([made.name]).of_images
    assert recorded.name == made.name
    assert "--features" in recorded.missing()
    with pytest.raises(WeightsError, match="--features"):
        recorded.values(compared())
    for name in ("ssim_0123abcd", "style_vgg16_mine"):
        with pytest.raises(UsageError, match="unknown measure"):
            measures([name])
    with pytest.raises(WeightsError, match="cannot read"):
        measures(["style_vgg16"], features={"vgg16": "nowhere.pth"})


def test_artfid_multiplies_what_is_lost_of_the_photos_with_what_lacks_of_the_styles():
    draw = np.random.default_rng(0)
    styles = draw.standard_normal((40, 3))
    sets = Sets(styles + np.array([2.0, 0, 0]), styles, {"lpips_alex": 0.5})  # the same covariance: FID is 2 squared
    assert ArtFID("random").of_sets(sets) == pytest.approx(1.5 * 5, rel=1e-9)
