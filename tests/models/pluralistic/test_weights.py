"""The official program's checkpoints, drawn here by its names alone, through the importer."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from inpaint.errors import UsageError, WeightsError
from inpaint.models.pluralistic.config import Config
from inpaint.models.pluralistic.network import Network
from inpaint.registry.conversion import import_weights
from inpaint.registry.loading import load

FILES = {
    "encoder": "latest_net_E.pth",
    "generator": "latest_net_G.pth",
    "discriminator": "latest_net_D.pth",
    "discriminator_rec": "latest_net_D_rec.pth",
}
# Number of entries: of the files, and without the duplicates (as many as the official program writes).
COUNTS = {"encoder": (312, 156), "generator": (224, 124), "discriminator": (176, 92)}
START = {"conv1": "model.0", "conv2": "model.2", "bypass": "shortcut.1"}
RES = {"conv1": "model.1", "conv2": "model.3", "bypass": "shortcut.0"}
UP = {"conv1": "model.2", "conv2": "model.5", "bypass": "shortcut.0"}
OUT = {"conv1": "model.2"}


def conv(state, name, *shape, outputs):
    state[f"{name}.module.bias"] = torch.randn(outputs)
    state[f"{name}.module.weight_u"] = nn.functional.normalize(torch.randn(shape[0]), dim=0)
    state[f"{name}.module.weight_v"] = nn.functional.normalize(torch.randn(torch.Size(shape)[1:].numel()), dim=0)
    state[f"{name}.module.weight_bar"] = torch.randn(shape) / torch.Size(shape)[1:].numel() ** 0.5


def block(state, name, inputs, outputs, hidden=None, *, kind=RES):
    hidden = hidden or outputs
    conv(state, f"{name}.conv1", hidden, inputs, 3, 3, outputs=hidden)
    for layer, before, kernel in (("conv2", hidden, 3), ("bypass", inputs, 3 if kind is UP else 1)):
        shape = (before, outputs) if kind is UP else (outputs, before)
        conv(state, f"{name}.{layer}", *shape, kernel, kernel, outputs=outputs)
    if kind is UP:
        for place, width in (("model.0", inputs), ("model.3", hidden)):
            state[f"{name}.{place}.weight"], state[f"{name}.{place}.bias"] = torch.rand(width) + 0.5, torch.randn(width)
    return kind


def doubled(state, kinds):
    """Add what the sequences of the blocks repeat."""
    for name, kind in kinds.items():
        for layer, place in kind.items():
            for entry in [entry for entry in state if entry.startswith(f"{name}.{layer}.module.")]:
                state[entry.replace(f"{name}.{layer}.", f"{name}.{place}.", 1)] = state[entry]
    return state


def attention(state, name, kinds):
    state[f"{name}.gamma"], state[f"{name}.alpha"] = torch.randn(1), torch.randn(1)
    state[f"{name}.query_conv.weight"], state[f"{name}.query_conv.bias"] = torch.randn(32, 128, 1, 1), torch.randn(32)
    kinds[f"{name}.model"] = block(state, f"{name}.model", 256, 128)


def encoder(*, discriminator=False):
    state, kinds = {}, {}
    kinds["block0"] = block(state, "block0", 3, 32, kind=START)
    state["block0.conv2.module.weight_v"] = torch.randn(288)
    for number, (inputs, outputs, hidden) in enumerate(((32, 64, 32), (64, 128, 64), (128, 128, 128), (128, 128, 128))):
        kinds[f"encoder{number}"] = block(state, f"encoder{number}", inputs, outputs, hidden)
    if discriminator:
        attention(state, "attn2", kinds)
        kinds["block1"] = block(state, "block1", 128, 128)
        conv(state, "conv", 1, 128, 3, 3, outputs=1)
        return state, kinds
    for number in range(6):
        kinds[f"infer_prior{number}"] = block(state, f"infer_prior{number}", 128, 128)
    for name in ("prior", "posterior"):
        kinds[name] = block(state, name, 128, 256, 128)
    return state, kinds


def generator():
    state, kinds = {}, {}
    kinds["generator"] = block(state, "generator", 128, 128)
    sizes = ((128, 128, 128), (128, 128, 128), (131, 128, 128), (131, 64, 64), (67, 32, 32))
    for number, (inputs, outputs, hidden) in enumerate(sizes):
        kinds[f"decoder{number}"] = block(state, f"decoder{number}", inputs, outputs, hidden, kind=UP)
    attention(state, "attn1", kinds)
    for number, inputs in enumerate((128, 128, 64, 32), start=1):
        conv(state, f"out{number}.conv1", 3, inputs, 3, 3, outputs=3)
        kinds[f"out{number}"] = OUT
    return state, kinds


@pytest.fixture(scope="module")
def networks():
    """{role: (entries without duplicates, where the duplicates are)}."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return {
            "encoder": encoder(),
            "generator": generator(),
            "discriminator": encoder(discriminator=True),
            "discriminator_rec": encoder(discriminator=True),
        }


@pytest.fixture
def write(tmp_path, networks):
    """`write(role, prefix=..., duplicates=..., change=..., name=...)` writes one file and returns its path."""

    def go(role, *, prefix="module.", duplicates=True, change=None, name=None):
        state, kinds = networks[role]
        state = dict(state)
        if duplicates:
            state = doubled(state, kinds)
        if change:
            change(state)
        path = tmp_path / (name or FILES[role])
        torch.save({f"{prefix}{key}": value for key, value in state.items()}, path)
        return str(path)

    return go


def imported(tmp_path, *inputs, name="imported"):
    return import_weights("lyndonzheng", inputs, tmp_path / name)


def test_the_drawn_files_hold_as_many_entries_as_the_programs(networks):
    for role, counts in COUNTS.items():
        state, kinds = networks[role]
        assert (len(doubled(dict(state), kinds)), len(state)) == counts


def parameters(network):
    return sum(parameter.numel() for parameter in network.parameters())


def test_the_networks_have_as_many_parameters_as_the_programs():
    network, discriminators = Network(Config()), Network.discriminators(Config())
    assert parameters(network.encoder) == 3_604_224
    assert parameters(network.generator) == 2_374_016
    # Without the layers of the attention that the program has and never uses.
    assert [parameters(discriminator) for discriminator in discriminators.values()] == [1_575_075 - 475_520 - 1] * 2


@pytest.mark.parametrize(("prefix", "duplicates"), [("", True), ("module.", False)])
def test_files_of_a_gpu_and_of_a_cpu_with_and_without_duplicates_give_the_same_weights(
    tmp_path, write, prefix, duplicates
):
    expected = imported(tmp_path, *(write(role) for role in FILES), name="expected")
    got = imported(tmp_path, *(write(role, prefix=prefix, duplicates=duplicates) for role in FILES))
    assert expected.roles == got.roles == tuple(FILES)
    one, other = (load(each.folder, device="cpu") for each in (expected, got))
    for key, value in one.network.state_dict().items():
        assert torch.equal(value, other.network.state_dict()[key]), key


def test_the_first_pass_of_the_program_is_kept_where_its_vectors_have_not_converged(tmp_path, write, networks):
    folder = imported(tmp_path, *(write(role) for role in FILES)).folder
    loaded = load(folder, device="cpu", dtype=torch.float64).network
    for ours, theirs in (("generator.decoder2.conv2", "decoder2.conv2"), ("encoder.prior.conv1", "prior.conv1")):
        state = networks[ours.partition(".")[0]][0]
        bar = state[f"{theirs}.module.weight_bar"].double()
        matrix = bar.flatten(1)  # rows are the first axis, of transposed convolutions as well
        v = nn.functional.normalize(matrix.T @ state[f"{theirs}.module.weight_u"].double(), dim=0)
        u = nn.functional.normalize(matrix @ v, dim=0)
        sigma = u @ matrix @ v
        assert not torch.allclose(sigma, torch.linalg.matrix_norm(matrix, 2), rtol=1e-3)
        assert torch.allclose(loaded.get_submodule(ours).weight, bar / sigma, rtol=1e-12)


def test_the_two_paths_discriminators_are_told_by_their_files_names_or_by_the_user(tmp_path, write):
    body = [write("encoder"), write("generator")]
    only = imported(tmp_path, *body, write("discriminator_rec", name="450000_net_D_rec.pth"), name="a")
    assert only.roles == ("encoder", "generator", "discriminator_rec")
    unnamed = write("discriminator", name="unnamed.pth")
    with pytest.raises(
        UsageError, match=r"may be the discriminator or the discriminator_rec of lyndonzheng: say which"
    ):
        imported(tmp_path, *body, unnamed, name="b")
    assert "discriminator" in imported(tmp_path, *body, f"discriminator={unnamed}", name="c").roles


def test_discriminators_are_optional_and_their_absence_is_said_where_it_matters(tmp_path, write):
    folder = imported(tmp_path, write("encoder"), write("generator")).folder
    model = load(folder, device="cpu")
    image, mask = torch.rand(1, 3, 64, 64), torch.ones(1, 1, 64, 64)
    assert [fill.score for fill in model.fill(image, mask, samples=2)] == [None, None]
    with pytest.raises(WeightsError, match="does not hold the discriminator 'gen'; it holds: none"):
        model.discriminate("gen", image)
    with pytest.raises(UsageError, match=r"unknown discriminator 'edge'.*valid: discriminator.*gen, rec"):
        model.discriminate("edge", image)


def test_one_file_alone_asks_for_the_other(tmp_path, write):
    with pytest.raises(UsageError, match="consists of several files: give --input generator=FILE as well"):
        imported(tmp_path, write("encoder"))


def unequal(state):
    state["encoder1.model.3.module.weight_bar"] = state["encoder1.model.3.module.weight_bar"] + 1e-3


def lacking(state):
    for name in ("prior.conv1.module.bias", "prior.model.1.module.bias"):
        state.pop(name, None)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (unequal, r"1 unusable: encoder1.model.3.module.weight_bar .differs from encoder1.conv2.module.weight_bar"),
        (lacking, "1 missing: prior.conv1.module.bias"),
        (lambda state: state.update({"prior.conv9.module.bias": torch.zeros(1)}), "1 extra: prior.conv9.module.bias"),
        (lambda state: state.update({"prior.conv1.module.bias": torch.zeros(5)}), "misshapen|differs"),
    ],
)
def test_files_that_do_not_fit_are_refused_with_the_reason(tmp_path, write, change, message):
    with pytest.raises(WeightsError, match=message):
        imported(tmp_path, write("encoder", change=change), write("generator"))
    assert not (tmp_path / "imported").exists()


def test_fine_tuning_starts_from_all_four_networks(tmp_path, write):
    from inpaint.losses import parse_losses
    from inpaint.models.pluralistic.training import Training
    from inpaint.registry.initial import load_initial
    from inpaint.training.config import LoopConfig

    folder = imported(tmp_path, *(write(role) for role in FILES)).folder
    adversary = {"kind": "lsgan", "of": "gen", "weight": 1.0}
    losses = parse_losses({"a": adversary, "b": adversary | {"of": "rec", "discriminator": "discriminator_rec"}})
    loop = LoopConfig(optimizers={"generator": {"lr": 1e-4}, "discriminator": {"lr": 1e-4}})
    module = Training(Config(initialization="default"), losses=losses, loop=loop)
    load_initial(module, folder)
    weights = load(folder, device="cpu").network.encoder.prior.conv1.weight
    assert torch.allclose(module.network.eval().encoder.prior.conv1.weight, weights, rtol=1e-5)
    assert module.license.startswith("CC BY-NC")
