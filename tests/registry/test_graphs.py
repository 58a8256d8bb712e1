import pytest

from inpaint.errors import ConfigError, UsageError, WeightsError
from inpaint.registry.loadable import identity
from inpaint.registry.loading import described, load, options_of
from inpaint.strategies.wrapper import StrategicFill
from inpaint.types import Capabilities, Plane
from inpaint.weights.graphs import GraphInput
from made_graphs import NETWORK, network_metadata, with_inputs, write_network, write_pipeline

SKETCH = Capabilities(trained=True, planes=(Plane(name="sketch"),))


def test_a_graph_says_what_it_can_do_before_and_after_it_is_loaded(tmp_path):
    path = write_network(tmp_path / "model.onnx")
    fill = described(path)
    assert fill.name == load(path).name == "deepfill"
    assert fill.capabilities == load(path).capabilities == NETWORK


def test_a_graph_is_known_by_what_it_holds_whatever_it_is_called(tmp_path):
    assert described(write_network(tmp_path / "weights.bin")).name == "deepfill"


def test_discriminators_and_features_are_not_in_a_graph(tmp_path):
    can = Capabilities(trained=True, stochastic=True, scored=True, refinable=True)
    path = write_network(tmp_path / "model.onnx", network_metadata(capabilities=can))
    found = described(path).capabilities
    assert (found.stochastic, found.scored, found.refinable) == (True, False, False)
    with pytest.raises(UsageError, match="refine: deepfill has no features"):
        load(path, refine=True)
    assert not described(path, latent="mean").capabilities.stochastic


def test_a_plane_is_read_from_a_file_as_the_model_of_this_version_reads_it(tmp_path):
    sketch = GraphInput(name="sketch", channels=1)
    path = write_network(tmp_path / "model.onnx", with_inputs(sketch, capabilities=SKETCH))
    (plane,) = described(path).capabilities.planes
    assert plane.read is not None
    assert list(described(path).capabilities.guidance) == ["sketch"]
    # What the graph does not read is not taken either.
    unread = write_network(tmp_path / "unread.onnx", network_metadata(capabilities=SKETCH))
    assert described(unread).capabilities.planes == ()


def test_options_are_those_of_the_graph_and_of_strategies(tmp_path):
    network = write_network(tmp_path / "model.onnx")
    assert {"threads", "providers", "chunk", "strategy"} <= options_of(network).keys()
    assert not {"dtype", "latent"} & options_of(network).keys()
    pipeline = write_pipeline(tmp_path / "pipeline.onnx")
    assert {"threads", "strategy"} <= options_of(pipeline).keys()
    assert "chunk" not in options_of(pipeline)


@pytest.mark.parametrize(
    ("options", "error", "complaint"),
    [
        ({"dtype": "float64"}, UsageError, "dtype=float64: model.onnx computes as it was exported"),
        ({"latent": "mean"}, UsageError, "unknown option of .* 'latent'"),
        ({"threads": 0}, ConfigError, "threads=0: must be a positive integer"),
    ],
)
@pytest.mark.parametrize("ask", [described, load])
def test_options_that_a_graph_does_not_take_are_refused(tmp_path, options, error, complaint, ask):
    path = write_network(tmp_path / "model.onnx")
    with pytest.raises(error, match=complaint):
        ask(path, **options)


def test_the_usual_strategy_gives_a_pipeline_graph_the_whole_photo(tmp_path):
    import numpy as np

    hole = np.zeros((600, 900), bool)
    hole[20:40, 30:60] = True
    cropped, whole = (
        StrategicFill.around(load(path)).plan(hole)
        for path in (write_network(tmp_path / "network.onnx"), write_pipeline(tmp_path / "pipeline.onnx"))
    )
    assert str(whole) == "auto, 900 x 600 px"
    assert not cropped.whole


@pytest.mark.parametrize(
    ("metadata", "complaint"),
    [
        (with_inputs(GraphInput(name="aura", channels=1), model="lostnet"), r"reads aura, .*does not know that model"),
        (
            with_inputs(GraphInput(name="gray", channels=1), model="edgeconnect", config={"depth": 3}),
            r"reads gray, .*does not know its configuration: depth=3",
        ),
    ],
)
def test_a_graph_whose_inputs_nobody_can_make_is_refused(tmp_path, metadata, complaint):
    with pytest.raises(WeightsError, match=complaint):
        load(write_network(tmp_path / "model.onnx", metadata))


def test_a_graph_of_an_unknown_model_fills_where_nothing_is_derived(tmp_path):
    path = write_network(tmp_path / "model.onnx", network_metadata(model="lostnet", config={"depth": 3}))
    assert load(path).name == "lostnet"


def test_a_graph_of_another_program_is_refused_with_what_it_lacks(tmp_path):
    import onnx

    path = write_network(tmp_path / "model.onnx")
    model = onnx.load(path)
    del model.metadata_props[:]
    onnx.save(model, path)
    with pytest.raises(WeightsError, match=r"does not say what it holds: its metadata has no 'inpaint\.format'"):
        load(path)


def test_a_graph_without_an_input_that_its_metadata_names_is_refused(tmp_path):
    import onnx

    path = write_network(tmp_path / "model.onnx")
    model = onnx.load(path)
    told = with_inputs(GraphInput(name="sketch", channels=1)).entries()
    onnx.helper.set_model_props(model, told)
    onnx.save(model, path)
    with pytest.raises(WeightsError, match="has no input sketch, of which its metadata tells"):
        load(path)


def test_a_graph_is_told_from_others_by_its_bytes(tmp_path):
    one, other = (write_pipeline(tmp_path / f"{color}.onnx", color=color) for color in (10, 20))
    copy = tmp_path / "copy.onnx"
    copy.write_bytes(one.read_bytes())
    assert identity(str(one)) == identity(str(copy)) != identity(str(other))
    assert identity(str(one)).startswith("sha256:")


def test_a_license_that_does_not_allow_everything_is_mentioned(tmp_path, caplog):
    path = write_network(tmp_path / "model.onnx", network_metadata(license="CC BY-NC 4.0"))
    load(path)
    assert "license CC BY-NC 4.0" in caplog.text
