import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import inpaint
from inpaint.errors import InputError, MissingDependencyError, UsageError, WeightsError
from inpaint.models.deepfill.config import Config
from inpaint.models.deepfill.network import Network
from inpaint.registry import table as registry
from inpaint.registry.loading import load
from inpaint.weights.files import WeightsMetadata, save_weights


def write_run(folder: Path, *, network=None, model="deepfill", roles=("generator",), extra=None, config=None) -> Path:
    """Write a run folder of a small DeepFillv2 and return its weights file."""
    network = network or Network(Config(width=8))
    folder.mkdir(parents=True, exist_ok=True)
    metadata = WeightsMetadata(
        model=model, config=network.config.model_dump(mode="json") | (config or {}), roles=roles, iteration=3
    )
    save_weights(folder / "model.safetensors", {**network.state_dict(), **(extra or {})}, metadata)
    return folder / "model.safetensors"


def sample():
    generator = torch.Generator().manual_seed(0)
    return torch.rand(1, 3, 24, 33, generator=generator), (torch.rand(1, 1, 24, 33, generator=generator) < 0.3).float()


def test_loading_a_run_or_a_fill_imports_no_lightning_and_fills(tmp_path):
    write_run(tmp_path / "run")
    code = (
        "import sys, torch, inpaint; m = inpaint.load(sys.argv[1], device='cpu'); "
        "m.fill(torch.zeros(1, 3, 8, 8), torch.ones(1, 1, 8, 8)); "
        "print([n for n in sys.modules if 'lightning' in n or n == 'cv2']); "
        "inpaint.load('telea'); import inpaint.pipeline, inpaint.evaluation; "
        "print([n for n in sys.modules if 'lightning' in n])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "run")], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.split() == ["[]", "[]"]


@pytest.mark.parametrize("name", registry.names())
def test_capabilities_in_the_table_are_those_of_the_fill(name):
    if name in registry.FILLS:
        fill, listed = load(name, device="cpu"), registry.capabilities(name)
        # Deep Image Prior adds that one core is enough where torch has one thread.
        assert replace(fill.capabilities, thread_safe=listed.thread_safe) == listed
        assert fill.name == name
    else:
        with torch.device("meta"):
            fill = registry.network_class(name)(registry.config_class(name)())
        assert fill.capabilities == registry.capabilities(name)


def test_the_parts_of_a_model_are_found_by_its_name():
    assert registry.config_class("deepfill") is Config
    assert registry.network_class("deepfill") is Network
    assert registry.training_class("deepfill").__name__ == "Training"


@pytest.mark.parametrize("function", [registry.capabilities, registry.config_class, registry.training_class])
def test_an_unknown_model_is_named_with_the_valid_ones(function):
    with pytest.raises(UsageError, match=r"unknown model 'deepfil' .did you mean 'deepfill'.*; valid: adain, aotgan, "):
        function("deepfil")


def test_a_run_folder_and_its_weights_file_load_the_network(tmp_path):
    network = Network(Config(width=8, padding="zero"), seed=5).eval()
    path = write_run(tmp_path / "run", network=network)
    image, mask = sample()
    for source in (tmp_path / "run", str(tmp_path / "run"), path, str(path)):
        model = inpaint.load(source, device="cpu")
        assert model.name == "deepfill"
        loaded = model.network.state_dict()
        assert all(torch.equal(loaded[name], tensor) for name, tensor in network.state_dict().items())
        assert model.network.config == network.config
        assert model.fill(image, mask)[0].completed.shape == image.shape


def test_dtype_and_chunk_reach_the_network(tmp_path):
    write_run(tmp_path)
    for dtype in (torch.float64, "float64"):
        model = load(tmp_path, device="cpu", dtype=dtype, chunk=2)
        assert model.fill(*sample())[0].raw.dtype == torch.float64
        assert model.chunk == 2
    assert load(tmp_path, device="cpu", dtype="bfloat16").dtype == torch.bfloat16


@pytest.mark.parametrize("name", registry.names())
def test_what_is_loaded_can_be_sent_to_another_process(tmp_path, name):
    if name in registry.MODELS:
        config = registry.config_class(name)(**registry.config_class(name).SMALL)
        network = registry.network_class(name)(config)
        discriminators = registry.network_class(name).discriminators(config)
        extra = {f"{role}.{k}": v for role, one in discriminators.items() for k, v in one.state_dict().items()}
        roles = (*(role for role, _ in network.named_children()), *discriminators)
        model = load(write_run(tmp_path, network=network, model=name, roles=roles, extra=extra), device="cpu")
        for role in discriminators:
            model._discriminators.named(role)
    else:
        model = load(name, device="cpu", **({"iterations": 2, "width": 4} if name == "dip" else {}))
    image, mask = sample()
    again = pickle.loads(pickle.dumps(model))
    assert torch.equal(again.fill(image, mask)[0].raw, model.fill(image, mask)[0].raw)
    assert repr(again) == repr(model)
    assert "\n" not in repr(model)


@pytest.mark.parametrize("place", [3, None, 2.5, ["telea"], object()])
def test_what_is_neither_name_nor_path_is_refused(place):
    with pytest.raises(InputError, match=r"a model is loaded by its name or by a path, not by .*; names: aotgan, "):
        load(place)


def test_networks_that_only_training_needs_are_left_in_the_file(tmp_path):
    discriminator = {
        f"discriminator.{name}": value
        for name, value in Network.discriminators(Config(width=8))["discriminator"].state_dict().items()
    }
    write_run(tmp_path, roles=("generator", "discriminator"), extra=discriminator)
    assert load(tmp_path, device="cpu").fill(*sample())
    write_run(tmp_path, roles=("generator",), extra=discriminator)
    with pytest.raises(WeightsError, match=r"26 extra|\d+ extra \(discriminator"):
        load(tmp_path, device="cpu")


def test_a_sketch_network_accepts_sketches_and_another_does_not(tmp_path):
    write_run(tmp_path / "guided", network=Network(Config(width=8, sketch=True)))
    write_run(tmp_path / "plain")
    assert load(tmp_path / "guided", device="cpu").capabilities.guidance.keys() == {"sketch"}
    assert load(tmp_path / "plain", device="cpu").capabilities.guidance == {}


def test_registered_names_win_over_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_run(tmp_path / "telea")
    assert load("telea", device="cpu").name == "telea"
    assert load("./telea", device="cpu").name == "deepfill"


@pytest.mark.parametrize("name", ["no-such-model", "./telea", "runs/x/model.safetensors", "", "~"])
def test_an_unknown_name_lists_the_names_and_says_that_no_such_path_exists(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises((UsageError, WeightsError)) as error:
        load(name, device="cpu")
    assert "telea" in str(error.value)
    assert "nor is there a folder or file of that name" in str(error.value)
    assert error.value.exit_status == 2


def test_a_trainable_model_without_weights_says_what_to_do():
    with pytest.raises(
        UsageError, match=r"'deepfill' needs weights: give the folder of a trained run.*train model=deepfill"
    ):
        load("deepfill", device="cpu")


def test_a_run_with_a_damaged_checkpoint_alone_says_so(tmp_path):
    (tmp_path / "last.ckpt").write_bytes(b"x")
    with pytest.raises(WeightsError, match=r"last\.ckpt is damaged or not in the safetensors format"):
        load(tmp_path, device="cpu")


def test_another_folder_is_refused(tmp_path):
    with pytest.raises(WeightsError, match="not the folder of a run or of an import"):
        load(tmp_path, device="cpu")


def test_a_checkpoint_for_resuming_is_no_model(tmp_path):
    torch.save({"state": torch.zeros(3)}, tmp_path / "last.ckpt")
    with pytest.raises(WeightsError, match=r"last\.ckpt is a PyTorch pickle, not safetensors"):
        load(tmp_path / "last.ckpt", device="cpu")


def test_weights_of_an_unknown_model_are_refused(tmp_path):
    write_run(tmp_path, model="deepfill3")
    with pytest.raises(WeightsError, match=r"unknown model 'deepfill3'.*a newer version may know it"):
        load(tmp_path, device="cpu")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"depth": 3}, "a configuration this version does not know: depth=3: unknown key 'depth'"),
        ({"padding": "sane"}, "a configuration this version does not know: padding=.sane."),
        ({"width": 16}, r"do not fit this architecture: \d+ misshapen \(generator.conv1.weight \(8, 5, 5, 5\) instead"),
        ({"stage1_input": "image_mask"}, r"1 misshapen \(generator.conv1.weight"),
    ],
)
def test_weights_that_do_not_fit_their_configuration_are_refused(tmp_path, config, message):
    write_run(tmp_path, config=config)
    with pytest.raises(WeightsError, match=message):
        load(tmp_path, device="cpu")


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ("telea", {"radus": 3}, "unknown option of telea 'radus' .did you mean 'radius'.*valid: .*, radius, "),
        ("telea", {"radius": 0}, "radius=0: must be an integer at least 1 and at most 100"),
        ("telea", {"chunk": 1}, "unknown option of telea 'chunk'; valid: .*, radius, "),
        ("run", {"radius": 3}, "unknown option of models with weights 'radius'; valid: chunk"),
        ("run", {"name": "x"}, "unknown option of models with weights 'name'; valid: chunk"),
        ("run", {"chunk": 0}, "chunk=0: must be a positive integer or null"),
        ("run", {"dtype": "float23"}, "unknown dtype 'float23'.*valid: bfloat16, float16, float32, float64"),
        ("run", {"dtype": torch.int8}, "unknown dtype 'int8'"),
        ("run", {"device": "gpu"}, "unknown device 'gpu'.*valid: auto, cpu"),
        ("telea", {"device": "cuda:99"}, "unknown device 'cuda:99'"),
    ],
)
def test_options_that_do_not_exist_or_do_not_fit_are_refused(tmp_path, monkeypatch, source, options, message):
    write_run(tmp_path / "run")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=message):
        load(source, **options)


def test_options_of_a_fill_reach_it():
    assert load("telea", device="cpu", radius=7).options.radius == 7


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_run_loads_onto_the_gpu_and_fills_images_of_the_cpu(tmp_path):
    write_run(tmp_path)
    image, mask = sample()
    (on_cpu,) = load(tmp_path, device="cpu").fill(image, mask)
    (on_gpu,) = load(tmp_path, device="cuda").fill(image, mask)
    assert on_gpu.completed.device == image.device
    assert (on_gpu.raw - on_cpu.raw).abs().max() < 1e-2
    (there,) = load(tmp_path, device="cuda").fill(image.cuda(), mask.cuda())
    assert there.completed.device.type == "cuda"


def test_a_hub_address_without_the_package_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'pytorch-inpaint\[hub\]'"):
        load("hf://owner/name", device="cpu")


def test_a_hub_address_loads_the_weights_of_the_repository(tmp_path, monkeypatch):
    hub = pytest.importorskip("huggingface_hub")
    asked = []

    def download(repository, name):
        asked.append((repository, name))
        return str(write_run(tmp_path))

    monkeypatch.setattr(hub, "hf_hub_download", download)
    assert load("hf://owner/name", device="cpu").name == "deepfill"
    assert asked == [("owner/name", "model.safetensors")]


def test_a_hub_out_of_reach_says_what_to_do(monkeypatch):
    hub = pytest.importorskip("huggingface_hub")
    from huggingface_hub.errors import LocalEntryNotFoundError

    def download(repository, name):
        raise LocalEntryNotFoundError("no connection.\nmore lines")

    monkeypatch.setattr(hub, "hf_hub_download", download)
    with pytest.raises(
        WeightsError, match=r"cannot fetch model.safetensors of hf://owner/name: no connection; if this"
    ):
        load("hf://owner/name", device="cpu")


@pytest.mark.parametrize("address", ["hf://owner", "hf://a/b/c", "hf://", "hf://-/--"])
def test_a_hub_address_that_is_none_is_refused(address):
    pytest.importorskip("huggingface_hub")
    with pytest.raises(UsageError, match="hf://"):
        load(address, device="cpu")
