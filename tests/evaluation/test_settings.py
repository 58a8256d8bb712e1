"""Labels and identities of the models that are compared."""

import pytest

from inpaint.errors import InpaintError, UsageError
from inpaint.evaluation import identity, label_models


def test_models_are_labeled_by_name_or_folder_and_never_alike(tmp_path):
    for folder in ("a/run", "b/run", "c/other"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "model.safetensors").write_bytes(b"x")
    one, two, three = (str(tmp_path / folder) for folder in ("a/run", "b/run", "c/other"))
    assert label_models(["telea", three]) == {"telea": "telea", "other": three}
    assert label_models([f"{three}/model.safetensors"]) == {"other": f"{three}/model.safetensors"}
    assert label_models([one, two]) == {one: one, two: two}
    with pytest.raises(UsageError, match="telea is given twice"):
        label_models(["telea", "mean", "telea"])


def test_the_identity_of_a_model_changes_with_its_weights(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"one")
    before = identity(str(tmp_path))
    assert before == identity(str(tmp_path / "model.safetensors"))
    (tmp_path / "model.safetensors").write_bytes(b"two")
    assert identity(str(tmp_path)) != before
    assert identity("telea") == "telea"


def test_what_cannot_be_read_is_named(tmp_path, monkeypatch):
    file = tmp_path / "model.safetensors"
    file.write_bytes(b"one")
    monkeypatch.setattr("hashlib.file_digest", lambda *arguments: (_ for _ in ()).throw(OSError(5, "broken")))
    with pytest.raises(InpaintError, match=r"cannot read '.*model\.safetensors': broken"):
        identity(str(file))
