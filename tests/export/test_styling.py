"""Networks that stylize as ONNX graphs: at every size they paint what the network paints, and say what they are."""

from __future__ import annotations

import pytest
import torch

from inpaint.errors import UsageError, WeightsError
from inpaint.export.formats import Request, export, verify
from inpaint.export.verification import session_of
from inpaint.registry import table
from inpaint.registry.loading import load
from inpaint.weights.graphs import GraphMetadata, read_graph

pytest.importorskip("onnx", reason="the extra 'export' is not installed")
pytest.importorskip("onnxruntime", reason="the extra 'export' is not installed")

STYLE_MODELS = list(table.style_models())


@pytest.mark.parametrize("name", STYLE_MODELS)
def test_a_graph_paints_what_the_network_paints_at_every_size_and_says_what_it_is(run_of, tmp_path, name):
    if not table.network_class(name).exportable:
        pytest.skip(f"{name} has no graph")
    run, file = run_of(name), tmp_path / "graph.onnx"
    request = Request(model=str(run), output=file)
    export("onnx", request)
    measured = verify("onnx", request)
    assert len(measured) == 5
    assert max(measured.values()) < 1e-4
    said = GraphMetadata.of(read_graph(file).entries, path=file)
    assert (said.model, said.license, said.capabilities.stylizes) == (name, "MIT", True)
    with pytest.raises(UsageError, match=rf"is a graph of a {name}, which paints whole images in a style"):
        load(file)


def test_a_graph_of_many_styles_reads_their_weights(run_of, tmp_path):
    run, file = run_of("multistyle", styles=["dots", "waves", "rain"]), tmp_path / "graph.onnx"
    export("onnx", Request(model=str(run), output=file))
    session = session_of(file)
    assert [(each.name, len(each.shape)) for each in session.get_inputs()] == [("content", 4), ("style_weights", 2)]
    content = torch.rand(1, 3, 21, 34, generator=torch.Generator().manual_seed(0)).numpy()
    painted = {
        weights: session.run(["raw"], {"content": content, "style_weights": torch.tensor([weights]).numpy()})[0]
        for weights in ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.5, 0.5, 0.0))
    }
    one, other, between = painted.values()
    assert one.shape == content.shape
    assert abs(one - other).max() > 1e-3
    assert 1e-4 < abs(between - one).max() < 1


def test_what_such_graphs_do_not_know_is_refused(run_of, tmp_path):
    run, file = str(run_of("johnson")), tmp_path / "graph.onnx"
    with pytest.raises(UsageError, match="leave out --pipeline and --precision"):
        export("onnx", Request(model=run, output=file, precision="int8"))
    with pytest.raises(UsageError, match="--option strength: the graph reads what can be chosen"):
        export("onnx", Request(model=run, output=file, options={"strength": 0.5}))
    export("onnx", Request(model=run, output=file))
    (tmp_path / "other").mkdir()
    (tmp_path / "run-johnson").rename(tmp_path / "other" / "run")
    another = str(run_of("johnson", width=3))
    with pytest.raises(WeightsError, match="was not made from the weights of"):
        verify("onnx", Request(model=another, output=file))
