import pytest
import torch

from inpaint.errors import UsageError, WeightsError
from inpaint.models.discriminators import StoredDiscriminators
from inpaint.registry.table import config_class, network_class
from inpaint.weights.files import WeightsMetadata, save_weights


@pytest.fixture
def stored(tmp_path):
    """`stored(model, *roles)` writes the discriminators of these roles and opens the file."""

    def make(model, *roles):
        config = config_class(model).model_validate(config_class(model).SMALL)
        kind = network_class(model)
        built = kind.discriminators(config)
        tensors = {f"{role}.{name}": value for role in roles for name, value in built[role].state_dict().items()}
        metadata = WeightsMetadata(model=model, config=config.model_dump(mode="json"), roles=("generator", *roles))
        path = tmp_path / f"{model}.safetensors"
        save_weights(path, {"generator.unused": torch.zeros(1), **tensors}, metadata)
        return StoredDiscriminators(path, kind, config, dtype=torch.float32, device=torch.device("cpu"))

    return make


def test_a_discriminator_is_found_by_role_and_by_short_name_and_built_once(stored):
    found = stored("pluralistic", "discriminator", "discriminator_rec")
    assert found.named("gen") is found.named("discriminator")
    assert found.named("rec") is not found.named("gen")
    assert not found.named("gen").training
    assert not any(parameter.requires_grad for parameter in found.named("gen").parameters())


def test_what_the_model_or_the_file_lacks_is_named(stored):
    found = stored("pluralistic", "discriminator")
    assert found.holds("gen")
    assert not found.holds("rec")
    with pytest.raises(UsageError, match=r"unknown discriminator 'gem' .did you mean 'gen'"):
        found.named("gem")
    with pytest.raises(WeightsError, match="does not hold the discriminator 'rec'; it holds: discriminator"):
        found.named("rec")
    with pytest.raises(UsageError, match="no discriminator 'any': this model is trained without any"):
        stored("pconv").named("any")
