"""EdgeConnect's public program's own outputs, from its checkpoints through our importer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from inpaint.images.edges import canny
from inpaint.images.photo import BT709, luma
from inpaint.models.edgeconnect.config import Config
from inpaint.models.edgeconnect.network import Network
from inpaint.nn.inference import prepare_for_inference
from inpaint.registry.loading import load
from inpaint.weights.files import load_weights

# Largest difference in standard deviations. In float64 the stored gray image, rounded to float32, is what counts.
LARGEST = {torch.float64: 1e-5, torch.float32: 2e-3}
STORED_GRAY = 1e-6  # when it is fed to the networks itself


@pytest.fixture(scope="module")
def folder(import_public) -> Path:
    """The import of all four files."""
    return import_public("knazeri")


@pytest.fixture(
    scope="module", params=["", pytest.param("b_", marks=pytest.mark.slow)], ids=["64x96", "128x128"]
)  # the names of the arrays of a pair of images begin so
def case(request, parity) -> dict[str, torch.Tensor]:
    """Inputs (image and mask as we take them) and outputs of one pair of images."""
    prefix = request.param
    arrays = {
        name.removeprefix(prefix): array
        for name, array in parity.cases("knazeri").items()
        if name.startswith("b_") == (prefix == "b_")
    }
    planes = {name: torch.from_numpy(array) for name, array in arrays.items()}
    planes["image"] = planes["image"].permute(0, 3, 1, 2).double() / 255
    planes["mask"] = (planes["mask"][:, None] > 127).double()
    for name in ("gray", "canny", "canny_train"):
        planes[name] = planes[name][:, None].double()
    return planes


def apart(got: torch.Tensor, expected: torch.Tensor) -> float:
    """The largest difference, in standard deviations of what is expected."""
    return float((got.double() - expected.double()).abs().max() / expected.double().std())


@pytest.mark.parametrize("dtype", LARGEST, ids=str)
@pytest.mark.parametrize(
    ("options", "edges", "output"),
    [({}, "edges_composited", "output_composited"), ({"composite_edges": False}, "edges", "output")],
    ids=["composited", "as the program tests"],
)
def test_fills_of_both_images_in_one_batch(folder, case, dtype, options, edges, output):
    fill = load(folder, device="cpu", dtype=dtype, **options).fill(case["image"], case["mask"])[0]
    assert apart(fill.aux["edges"], case[edges]) <= LARGEST[dtype]
    assert apart(fill.raw, case[output]) <= LARGEST[dtype]


def test_known_edges_are_those_of_the_program(case):
    pairs = zip(case["image"].permute(0, 2, 3, 1).numpy(), case["mask"][:, 0].numpy() == 0, strict=True)
    for number, (photo, known) in enumerate(pairs):
        for name, where in (("canny", known), ("canny_train", None)):
            assert np.array_equal(canny(luma(photo, BT709), 2.0, known=where), case[name][number, 0].numpy() > 0)


@pytest.fixture(scope="module", params=[False, True], ids=["as stored", "prepared for inference"])
def networks(request, folder) -> dict[str, torch.nn.Module]:
    """All four networks in float64."""
    network = Network(Config()).double()
    made = {**dict(network.named_children()), **Network.discriminators(Config())}
    tensors, _ = load_weights(folder / "model.safetensors")
    for role, part in made.items():
        part.double().load_state_dict(
            {name.removeprefix(f"{role}."): value for name, value in tensors.items() if name.startswith(f"{role}.")}
        )
        if request.param:
            prepare_for_inference(part)
    return {"network": network.eval(), **{role: part.eval() for role, part in made.items()}}


@torch.no_grad()
def test_the_networks_alone_fed_with_the_stored_gray(networks, case):
    network, hole = networks["network"], case["mask"] > 0
    edges = network.edges(case["gray"], case["canny"], case["mask"])
    assert apart(edges, case["edges"]) <= STORED_GRAY
    composited = torch.where(hole, edges, case["canny"])
    assert apart(composited, case["edges_composited"]) <= STORED_GRAY
    assert apart(network.paint(case["image"], edges, case["mask"]), case["output"]) <= STORED_GRAY
    assert apart(network.paint(case["image"], composited, case["mask"]), case["output_composited"]) <= STORED_GRAY


@torch.no_grad()
def test_maps_and_features_of_the_discriminators(networks, case):
    edge, inpaint = networks["edge_discriminator"], networks["inpaint_discriminator"]
    real = edge(case["gray"], case["canny_train"])
    fake = edge(case["gray"], case["edges"])
    for kind, output in (("real", real), ("fake", fake)):
        assert apart(output.logits, case[f"edge_dis_{kind}_logit"]) <= STORED_GRAY
        assert apart(output.logits.sigmoid(), case[f"edge_dis_{kind}"]) <= STORED_GRAY
    means = torch.stack([feature.mean(dim=(1, 2, 3)) for feature in fake.features])
    assert apart(means, case["edge_dis_feature_mean"]) <= STORED_GRAY
    differences = [(a - b).abs().mean() for a, b in zip(real.features, fake.features, strict=True)]
    assert apart(torch.stack(differences), case["edge_dis_feature_l1"]) <= STORED_GRAY
    for kind, image in (("real", case["image"]), ("fake", case["output"])):
        assert apart(inpaint(image).logits, case[f"inpaint_dis_{kind}_logit"]) <= STORED_GRAY


@pytest.mark.parametrize("dtype", LARGEST, ids=str)
def test_discriminators_of_the_import_answer_by_their_short_names(folder, case, dtype):
    model = load(folder, device="cpu", dtype=dtype)
    bar = 1e-6 if dtype == torch.float64 else LARGEST[dtype]
    got = model.discriminate("edge", case["gray"], case["edges"])
    assert apart(got, case["edge_dis_fake_logit"]) <= bar
    assert torch.equal(model.discriminate("edge", torch.cat((case["gray"], case["edges"]), dim=1)), got)
    assert apart(model.discriminate("inpaint", case["output"]), case["inpaint_dis_fake_logit"]) <= bar
