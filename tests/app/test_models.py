"""What is offered, and which models stay in memory."""

from __future__ import annotations

import shutil

import pytest

from inpaint.app.models import FIRST, LoadedModels, offers
from inpaint.errors import UsageError
from inpaint.registry.table import FILLS
from inpaint.strategies.options import StrategyOptions


def test_fills_without_weights_are_offered_where_nothing_is_trained(tmp_path):
    found = offers((), tmp_path / "none")
    assert set(found) == set(FILLS)
    assert next(iter(found)) == FIRST
    assert all(offer.summary for offer in found.values())


def test_named_models_come_first_and_are_not_offered_twice(tmp_path):
    assert list(offers(("dip", "telea"), tmp_path))[:3] == ["dip", "telea", FIRST]


def test_a_named_model_that_is_none_is_refused(tmp_path):
    with pytest.raises(UsageError, match="unknown model 'nothing'"):
        offers(("nothing",), tmp_path)


def test_a_model_of_another_name_is_refused(models):
    with pytest.raises(UsageError, match="unknown model '/etc/passwd'"):
        models.get("/etc/passwd")


def test_a_model_is_loaded_once_for_the_same_options(models):
    plain = models.get("telea").inner
    assert models.get("telea").inner is plain
    assert models.get("telea", {"radius": 5}).inner is not plain


def test_strategies_share_the_model_and_options_in_words_stand_above_them(models):
    plain, tiled = models.get("telea"), models.get("telea", strategy=StrategyOptions(strategy="tile", seam="color"))
    assert tiled.inner is plain.inner
    assert (tiled.options.strategy, tiled.options.seam) == ("tile", "color")
    told = models.get("telea", {"seam": "poisson"}, strategy=StrategyOptions(strategy="tile", seam="color"))
    assert told.inner is plain.inner
    assert (told.options.strategy, told.options.seam) == ("tile", "poisson")


def test_models_used_longest_ago_are_forgotten_where_memory_is_short(tmp_path, tiny_run):
    tiny_run("one", max_iterations=1, save_every=1, validation={"every": 1, "panel": 0, "batch_size": 2}).fit()
    for name in ("two", "three"):
        shutil.copytree(tmp_path / "one", tmp_path / name)
    runs = tmp_path
    found = offers((), runs)
    assert {"one", "two", "three"} <= set(found)
    size = (runs / "one" / "model.safetensors").stat().st_size
    loaded = LoadedModels(found, "cpu", budget_bytes=lambda: 2.5 * size)
    first, second = loaded.get("one").inner, loaded.get("two").inner
    assert loaded.get("one").inner is first
    loaded.get("three")
    assert len(loaded) == 2
    assert loaded.get("one").inner is first
    assert loaded.get("two").inner is not second


def test_a_run_that_cannot_be_used_is_left_out_with_a_warning(tmp_path, caplog):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "model.safetensors").write_bytes(b"nothing")
    assert "broken" not in offers((), tmp_path)
    assert "broken is not offered" in caplog.text
