import numpy as np
import pytest
import torch
from PIL import Image

from inpaint import config
from inpaint.cli.main import run
from inpaint.losses import parse_losses
from inpaint.models.adain.config import Config
from inpaint.models.adain.training import Training
from inpaint.nn.random import drawing_from
from inpaint.registry.stylizers import load_stylizer
from inpaint.style.coders import Encoder, file_names
from inpaint.types import StylePart
from inpaint.weights.files import load_weights

LEVEL_2 = [
    "model.level=2",
    "losses.content.of=features_2",
    "losses.style={of: [features_1, features_2], target: [style_features_1, style_features_2]}",
]
RUN = [
    "data.size=16",
    "data.workers=0",
    "data.min_px=8",
    "batch_size=2",
    "save_every=1",
    "validation={every: 1, batch_size: 2, panel: 2}",
    "trainer={accelerator: cpu, devices: 1, threads: 1}",
]


def test_the_decoder_alone_learns_and_its_losses_fall():
    values = config.load(["model=adain", *LEVEL_2, "optimizers.generator={lr: 3e-3, schedule: {kind: constant}}"])
    module = Training(Config(**Config.SMALL), losses=parse_losses(values.losses), loop=values.loop)
    torch.manual_seed(0)
    batch = {
        "image": torch.rand(2, 3, 16, 24),
        "style": torch.rand(2, 3, 20, 16) ** 2,
        "mask": torch.ones(2, 1, 16, 24),
    }
    before = [parameter.clone() for parameter in module.network.encoder.parameters()]
    (optimizer,) = module.configure_optimizers()
    seen = []
    for _ in range(60):
        record = module.record(batch)
        total, _ = module.generator_losses(record)
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        seen.append(total.item())
    assert seen[-1] < 0.5 * seen[0]
    assert all(torch.equal(*pair) for pair in zip(before, module.network.encoder.parameters(), strict=True))
    assert all(parameter.grad is None for parameter in module.network.encoder.parameters())
    measured = module.measure(batch, record)
    assert measured["objective"].item() == pytest.approx(seen[-1], rel=1e-5)
    assert (measured["content"] + measured["style"]).item() == pytest.approx(seen[-1], rel=1e-5)


def test_a_training_takes_the_encoder_from_a_file_once_and_paints_with_what_it_learned(tmp_path, photos, make_photo):
    with drawing_from(5):
        encoder = Encoder("vgg16", 2)
    state = {theirs: encoder.state_dict()[ours] for ours, theirs in file_names("vgg16", 2).items()}
    torch.save(state, tmp_path / "vgg16.pth")
    Image.fromarray(make_photo(24, 30, 50)).save(tmp_path / "style.png")
    places = [f"data.root={photos}", f"data.styles={tmp_path / 'style.png'}", f"run.folder={tmp_path / 'run'}"]
    wanted = ["model.encoder=vgg16", f"model.encoder_weights={tmp_path / 'vgg16.pth'}", "model.decoder_width=4"]
    assert run(["train", "model=adain", *places, *wanted, *LEVEL_2, *RUN, "max_iterations=1"]) == 0
    (tmp_path / "vgg16.pth").unlink()
    assert run(["train", f"run.folder={tmp_path / 'run'}", "resume=auto", "max_iterations=2"]) == 0
    begun = ["train", "model=adain", *places[:2], f"run.folder={tmp_path / 'next'}", f"init={tmp_path / 'run'}"]
    assert run([*begun, *LEVEL_2[1:], *RUN, "max_iterations=1"]) == 0
    for name in ("run", "next"):
        tensors, metadata = load_weights(tmp_path / name / "model.safetensors")
        assert metadata.roles == ("encoder", "decoder")
        assert torch.equal(tensors["encoder.convs.conv2_1.weight"], encoder.convs["conv2_1"].weight)
    content = make_photo(20, 33, 1).astype(np.float32) / 255
    stylizer = load_stylizer(str(tmp_path / "run"), device="cpu")
    painted = stylizer.stylize(content, [StylePart(style=make_photo(9, 30, 2).astype(np.float32) / 255)]).image
    assert painted.shape == content.shape
    assert np.abs(painted - content).mean() > 1e-3
