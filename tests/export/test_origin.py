"""Runs written in the files of public programs: what comes back from there, and what is refused."""

from __future__ import annotations

import pytest
import torch
from safetensors import safe_open

from inpaint.errors import UsageError, WeightsError, WriteError
from inpaint.export.origin import export_origin, origins_of
from inpaint.models.aotgan.config import Config as AotGan
from inpaint.models.deepfill import weights as deepfill
from inpaint.models.edgeconnect.config import Config as EdgeConnect
from inpaint.models.glcic.config import Config as Glcic
from inpaint.models.lama.config import Config as Lama
from inpaint.models.pconv import weights as pconv
from inpaint.models.pluralistic.config import Config as Pluralistic
from inpaint.models.scfegan import weights as scfegan
from inpaint.nn.spectral import converge
from inpaint.registry.conversion import import_weights
from inpaint.registry.table import network_class
from inpaint.weights.files import WeightsMetadata, load_weights, save_weights
from inpaint.weights.foreign import load_foreign
from lively import enlivened

DIVIDED = ("conv13", "conv15", "allconv13", "allconv15")  # layers that csqiangwen's program normalizes
SMALL_LAMA = {"width": 4, "discriminator": {"width": 4}}
FACES = {"global_px": 160, "local_px": 96, "global_convs": 5}
MMAGIC_GLCIC = Glcic(
    value_range="pm1", output="linear", mean=(0.5, 0.5, 0.5), discriminator={"global_px": 256, "local_px": 128}
)
BGR_AND_FUSED = {"channel_order": "bgr", "attention": deepfill.NIPPONJO_TF.attention.model_copy(update={"fuse": True})}
RUNS = {
    "jiahuiyu": ("deepfill", deepfill.OFFICIAL),
    "jiahuiyu, guided": ("deepfill", deepfill.OFFICIAL.model_copy(update={"sketch": True})),
    "nipponjo": ("deepfill", deepfill.NIPPONJO),
    "nipponjo, TensorFlow form": ("deepfill", deepfill.NIPPONJO_TF),
    "nipponjo, TensorFlow form, BGR, fused": ("deepfill", deepfill.NIPPONJO_TF.model_copy(update=BGR_AND_FUSED)),
    "csqiangwen": ("deepfill", deepfill.CSQIANGWEN),
    "mmagic": ("deepfill", deepfill.MMAGIC),
    "knazeri": ("edgeconnect", EdgeConnect()),
    "naoto0804": ("pconv", pconv.NAOTO0804.model_copy(update={"levels": 4})),
    "mmagic, pconv": ("pconv", pconv.MMAGIC.model_copy(update={"levels": 4})),
    "lyndonzheng": ("pluralistic", Pluralistic(initialization="default")),
    "advimman": ("lama", Lama(blocks=2, **SMALL_LAMA)),
    "advimman, half global": ("lama", Lama(blocks=1, global_share=0.5, local_unit=True, **SMALL_LAMA)),
    "advimman, regular": ("lama", Lama(kind="regular", blocks=2, **SMALL_LAMA)),
    "aotgan": ("aotgan", AotGan(blocks=1)),
    "mmagic, aotgan": ("aotgan", AotGan(blocks=1, rates=(1, 2))),
    "otenim": ("glcic", Glcic(order="relu_norm", value_range="01", discriminator=FACES)),
    "mmagic, glcic": ("glcic", MMAGIC_GLCIC),
    "scfegan": ("scfegan", scfegan.CONFIG.model_copy(update={"width": 4})),
}
SHARED = ("aotgan",)  # models whose networks several programs can hold
TIMELESS = ("csqiangwen", "jiahuiyu", "lyndonzheng", "scfegan")  # programs whose files say no iteration
LARGE = ("jiahuiyu", "nipponjo", "knazeri", "lyndonzheng")  # programs with networks of one width, seconds each
ITERATES = ("jiahuiyu", "nipponjo", "lyndonzheng")  # programs that store singular vectors from before a power iteration


def tensors_of(model, config):
    """All networks of a model with lively weights in float32, discriminators included."""
    kind = network_class(model)
    networks = {**dict(kind(config).named_children()), **kind.discriminators(config)}
    tensors = {}
    for number, (role, network) in enumerate(networks.items()):
        enlivened(network, seed=number)
        converge(network, 5)
        tensors |= {f"{role}.{name}": value for name, value in network.state_dict().items()}
    for name, value in tensors.items():
        if config == deepfill.CSQIANGWEN and name.split(".")[1] in DIVIDED and value.ndim == 4:
            # Close to a spectral norm of 1, as its program's layers have it.
            halves = [half / torch.linalg.matrix_norm(half.flatten(1), ord=2) for half in value.chunk(2)]
            tensors[name] = torch.cat([1.004 * halves[0], 1.00001 * halves[1]])
    return tensors


def written_run(folder, model, config, tensors=None, **about):
    """The folder of a run with these weights."""
    folder.mkdir(exist_ok=True)
    tensors = tensors_of(model, config) if tensors is None else tensors
    roles = tuple(dict.fromkeys(name.partition(".")[0] for name in tensors))
    about = {"license": "MIT", "source": "a test", "iteration": 700, **about}
    metadata = WeightsMetadata(model=model, config=config.model_dump(mode="json"), roles=roles, **about)
    save_weights(folder / "model.safetensors", tensors, metadata)
    return folder


def taken_back(done, folder, config):
    """Import what was written."""
    switches = frozenset()
    if done.title.startswith("nipponjo"):
        bgr, fuse = config.channel_order == "bgr", config.attention.fuse and "TensorFlow" in done.title
        switches = frozenset(name for name, given in (("bgr", bgr), ("fuse", fuse)) if given)
        assert all(f"--{name}" in done.notes[0] for name in switches)
    inputs = []
    for path in done.files:  # the discriminators of one program differ in nothing but their names
        inputs.append(f"discriminator={path}" if path.name == "latest_net_D.pth" else str(path))
    return import_weights(done.origin, inputs, folder, switches=switches)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * name.startswith(LARGE)) for name in RUNS]
)
def test_importing_what_was_exported_gives_the_run_again(name, tmp_path):
    model, config = RUNS[name]
    run = written_run(tmp_path / "run", model, config)
    output = tmp_path / "file"
    if name.startswith(ITERATES):  # the vectors of a first pass: those of an import
        first = export_origin(run, output)
        run = taken_back(first, tmp_path / "first", config).folder
        output = tmp_path / "again"
    done = export_origin(run, output, origin=name.partition(",")[0] if model in SHARED else None)
    assert done.origin == name.partition(",")[0]
    back = taken_back(done, tmp_path / "back", config)
    expected, said = load_weights(run / "model.safetensors")
    got, metadata = load_weights(back.folder / "model.safetensors")
    if config == deepfill.CSQIANGWEN or model == "scfegan":
        assert "discriminator is left out" in done.notes[0]
        expected = {key: value for key, value in expected.items() if key.startswith("generator.")}
    assert got.keys() == expected.keys()
    for key, value in expected.items():
        if key.endswith("num_batches_tracked"):
            continue
        divided = config == deepfill.CSQIANGWEN and key.split(".")[1] in DIVIDED
        vector = name.startswith(ITERATES) and key.endswith(("._u", "._v"))
        if divided or vector:
            # A power iteration divides by norms that it enlarges by 1e-12.
            exact = 1e-11 if got[key].dtype == torch.float64 else 2e-7
            assert torch.allclose(got[key].double(), value.double(), rtol=0, atol=exact), key
        else:
            assert torch.equal(got[key].double(), value.double()), key
    assert type(config)(**metadata.config) == type(config)(**said.config)
    assert metadata.iteration == (None if name.startswith(TIMELESS) else 700)


@pytest.mark.parametrize("name", ["nipponjo", "lyndonzheng"])
def test_a_trained_runs_right_vectors_are_those_of_the_programs_next_pass(name, tmp_path):
    model, config = RUNS[name]
    run = written_run(tmp_path / "run", model, config)
    back = taken_back(export_origin(run, tmp_path / "file.pth"), tmp_path / "back", config)
    expected, _ = load_weights(run / "model.safetensors")
    got, _ = load_weights(back.folder / "model.safetensors")
    for key, value in expected.items():
        if key.endswith("._v"):
            assert torch.allclose(got[key].float(), value, rtol=0, atol=1e-5), key


def test_what_a_program_divides_by_its_norm_must_have_a_norm_of_1(tmp_path):
    model, config = RUNS["csqiangwen"]
    tensors = tensors_of(model, config)
    tensors["generator.conv13.weight"] *= 3
    run = written_run(tmp_path / "run", model, config, tensors)
    with pytest.raises(
        UsageError, match=r"coarse\.12\.gated_conv2d\.conv2d\.module by its spectral norm.* it is 3\.01"
    ):
        export_origin(run, tmp_path / "file.pth")
    assert not (tmp_path / "file.pth").exists()


@pytest.mark.parametrize(
    ("model", "config", "origin", "said"),
    [
        ("deepfill", deepfill.MMAGIC.model_copy(update={"width": 64}), "mmagic", "model.width=64 (it has 48)"),
        ("deepfill", deepfill.MMAGIC.model_copy(update={"sketch": True}), None, "model.sketch=true (it has false)"),
        ("edgeconnect", EdgeConnect(width=4, blocks=8), None, "model.width=4 (it has 64)"),
        ("edgeconnect", EdgeConnect(mask_channel=True), None, "model.mask_channel=true (it has false)"),
        ("pconv", pconv.MMAGIC.model_copy(update={"width": 4}), None, "model.width=4 (it has 64)"),
        ("pconv", pconv.NAOTO0804.model_copy(update={"levels": 3}), None, "model.levels=3 (it has 4)"),
        ("pluralistic", Pluralistic(width=4), None, "model.width=4 (it has 32)"),
        ("aotgan", AotGan(blocks=1, rates=(1, 3)), "aotgan", "model.rates=[1, 3] (it has [1, 2])"),
        ("glcic", Glcic(), "otenim", 'model.order="norm_relu" (it has "relu_norm")'),
        ("lama", Lama(kind="regular", blocks=1, **SMALL_LAMA), "nipponjo", "unknown origin of lama 'nipponjo'"),
    ],
)
def test_what_a_program_cannot_express_is_refused_by_name(model, config, origin, said, tmp_path):
    roles = dict(network_class(model)(config).named_children())
    run = written_run(tmp_path / "run", model, config, {f"{role}.weight": torch.zeros(1) for role in roles})
    with pytest.raises(UsageError) as caught:
        export_origin(run, tmp_path / "file.pth", origin=origin)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_without_a_program_that_fits_what_each_would_need_is_named(tmp_path):
    with pytest.raises(UsageError) as refused:
        export_origin(written_run(tmp_path / "run", "glcic", Glcic(), {}), tmp_path / "file")
    otenim, mmagic = str(refused.value).split("; ")
    assert 'GLCIC (otenim) cannot hold model.order="norm_relu" (it has "relu_norm")' in otenim
    assert 'model.output="sigmoid" (it has "linear")' in mmagic


def test_a_discriminator_that_a_program_does_not_know_stays_behind(tmp_path):
    config = Lama(width=4, blocks=1, discriminator={"width": 4, "layers": 2})
    done = export_origin(written_run(tmp_path / "run", "lama", config), tmp_path / "file.ckpt")
    assert done.roles == ("generator",)
    assert "no discriminator is written" in done.notes[0]
    assert "model.discriminator.layers=2 (it has 4)" in done.notes[0]
    assert import_weights("advimman", [str(tmp_path / "file.ckpt")], tmp_path / "back").roles == ("generator",)


def test_a_network_that_a_program_needs_must_be_there(tmp_path):
    config = EdgeConnect(stage="edge")
    with pytest.raises(WeightsError, match="needs inpaint_generator, which these weights do not hold"):
        export_origin(written_run(tmp_path / "run", "edgeconnect", config), tmp_path / "folder")


def test_files_are_called_and_filled_as_the_program_does_it(tmp_path):
    done = export_origin(written_run(tmp_path / "run", *RUNS["knazeri"]), tmp_path / "folder")
    names = ["EdgeModel_gen.pth", "InpaintingModel_gen.pth", "EdgeModel_dis.pth", "InpaintingModel_dis.pth"]
    assert [path.name for path in done.files] == names
    assert sorted(tmp_path.iterdir()) == [tmp_path / "folder", tmp_path / "run"]
    content = load_foreign(done.files[0])
    assert content["iteration"] == 700
    assert content["inpaint"]["license"] == done.license == "MIT"
    assert all(torch.is_tensor(value) for value in content["generator"].values())
    with pytest.raises(UsageError, match="holds files already"):
        export_origin(tmp_path / "run", tmp_path / "folder")


def test_a_single_file_gets_its_programs_name_in_a_folder(tmp_path):
    run = written_run(tmp_path / "run", *RUNS["advimman"])
    (tmp_path / "models").mkdir()
    done = export_origin(run, tmp_path / "models")
    assert done.files == (tmp_path / "models" / "best.ckpt",)


def test_safetensors_hold_the_tensors_alone_and_what_they_are(tmp_path):
    run = written_run(tmp_path / "run", *RUNS["advimman"])
    done = export_origin(run, tmp_path / "lama.safetensors")
    with safe_open(done.files[0], "pt") as file:
        assert "generator.model.1.bn_l.running_mean" in set(file.keys())
        assert file.metadata()["inpaint.license"] == "MIT"
    run = written_run(tmp_path / "other", *RUNS["naoto0804"])
    with pytest.raises(UsageError, match="naoto0804 reads no safetensors"):
        export_origin(run, tmp_path / "pconv.safetensors")


def test_a_folder_that_cannot_be_made_leaves_nothing(tmp_path):
    run = written_run(tmp_path / "run", *RUNS["knazeri"])
    with pytest.raises(WriteError, match="cannot write"):
        export_origin(run, tmp_path / "no" / "such" / "folder")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_every_importer_has_a_way_back():
    assert {model: origins_of(model) for model, _ in RUNS.values()} == {
        "deepfill": ("jiahuiyu", "nipponjo", "csqiangwen", "mmagic"),
        "edgeconnect": ("knazeri",),
        "pconv": ("naoto0804", "mmagic"),
        "pluralistic": ("lyndonzheng",),
        "lama": ("advimman",),
        "aotgan": ("aotgan", "mmagic"),
        "glcic": ("otenim", "mmagic"),
        "scfegan": ("scfegan",),
    }
