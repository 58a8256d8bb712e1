"""Small networks of every registered model, and the folders that `inpaint export` reads them from."""

import pytest

from inpaint.nn.inference import prepare_for_inference
from inpaint.registry import table
from inpaint.weights.files import WeightsMetadata, save_weights

# What residual blocks add up, and what no activation bounds, would grow until rounding decides what is black and white.
GAINS = {"vcnet": 1.0, "adain": 1.4}


@pytest.fixture
def small_network(lively):
    """`small_network(name)` builds a small network of that model with lively weights, as a fill has it."""

    def build(name, **fields):
        config = table.config_class(name)
        options = config.model_validate({**config.SMALL, **fields})
        network = lively(table.network_class(name)(options), gain=GAINS.get(name, 2.4)).eval().requires_grad_(False)
        prepare_for_inference(network)
        return network

    return build


@pytest.fixture
def run_of(lively, tmp_path):
    """`run_of(name)` writes a folder with the weights of a small network."""

    def write(name, **fields):
        config = table.config_class(name)
        options = config.model_validate({**config.SMALL, **fields})
        network = lively(table.network_class(name)(options), gain=GAINS.get(name, 2.4))
        folder = tmp_path / f"run-{name}"
        folder.mkdir()
        metadata = WeightsMetadata(
            model=name,
            config=options.model_dump(mode="json"),
            roles=tuple(role for role, _ in network.named_children()),
            license="MIT",
        )
        save_weights(folder / "model.safetensors", dict(network.state_dict()), metadata)
        return folder

    return write
