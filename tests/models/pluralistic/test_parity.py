"""The official Pluralistic program's own outputs, from its checkpoints through our importer."""

from __future__ import annotations

import pytest
import torch

from inpaint.models.pluralistic.blocks import attend
from inpaint.registry.loading import load

LARGEST = {torch.float64: 1e-6, torch.float32: 2e-3}  # largest difference, in standard deviations of the output


@pytest.fixture(scope="module")
def case(parity, import_public):
    """(folder of the import, inputs and outputs)."""
    return import_public("lyndonzheng"), parity.cases("lyndonzheng")


def inputs_of(arrays):
    image = torch.from_numpy(arrays["image"]).permute(0, 3, 1, 2).double() / 255
    return image, (torch.from_numpy(arrays["mask"])[:, None] > 127).double()


@pytest.fixture(scope="module", params=LARGEST, ids=str)
def computed(request, case):
    """(dtype, what we compute by the names of the stored arrays, stored arrays)."""
    folder, arrays = case
    model = load(folder, device="cpu", dtype=request.param)
    image, mask = inputs_of(arrays)
    mu, sigma = model.encode(image, mask)
    fill = model.decode(image, mask, z=torch.from_numpy(arrays["z"]))
    encoding = model.network.encode(image.to(model.dtype), mask.to(model.dtype))
    got = {
        "mu": mu,
        "sigma": sigma,
        "output": 2 * fill.raw - 1,
        "scaled_mask": encoding.context["known"],
        "score": model.discriminate("gen", fill.completed),
        "score_rec": model.discriminate("rec", fill.completed),
    }
    got |= {f"output_1_{size}": 2 * fill.aux[f"scale_1_{size}"] - 1 for size in (8, 4, 2)}
    return request.param, got, arrays


@pytest.mark.parametrize(
    "name", ["mu", "sigma", "output", "output_1_8", "output_1_4", "output_1_2", "scaled_mask", "score", "score_rec"]
)
def test_both_images_in_one_batch_come_out_as_from_the_program_itself(computed, name):
    dtype, got, arrays = computed
    expected = torch.from_numpy(arrays[name])
    assert got[name].shape == expected.shape
    assert (got[name].double() - expected).abs().max() <= LARGEST[dtype] * expected.std()


def test_the_encoders_features_and_the_attention_are_those_of_the_program(case):
    folder, arrays = case
    model = load(folder, device="cpu", dtype=torch.float64)
    image, mask = inputs_of(arrays)
    features = model.network.encoder((2 * image - 1) * (1 - mask)).features
    means = [feature.abs().mean().item() for feature in features]
    assert means == pytest.approx(arrays["feature_mean_abs"].tolist(), rel=1e-9)

    # Mixing the rows of an identity matrix gives the attention's weights themselves.
    seen = []
    model.network.generator.attn1.query_conv.register_forward_hook(lambda module, given, out: seen.append(out))
    model.decode(image, mask, z=torch.from_numpy(arrays["z"]))
    query = seen[0].flatten(2).transpose(1, 2)  # (2, n, 32)
    count = query.shape[1]
    weights = attend(query, torch.eye(count, dtype=torch.float64).expand(2, count, count))
    expected = torch.from_numpy(arrays["attention_row0"])
    assert (weights[:, 0] - expected).abs().max() <= 1e-6 * expected.std()


def test_sampled_fills_equal_decoding_what_was_drawn_and_are_ranked_by_the_programs_score(case):
    folder, arrays = case
    model = load(folder, device="cpu", dtype=torch.float64)
    image, mask = inputs_of(arrays)
    fills = model.fill(image, mask, samples=2, seed=3)
    for fill in fills:
        assert torch.allclose(fill.score, model.discriminate("gen", fill.completed).mean((1, 2, 3)), atol=1e-12)
    assert not torch.allclose(fills[0].raw, fills[1].raw, atol=1e-3)
