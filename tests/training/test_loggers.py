"""Loggers: metrics.csv survives kills and resumes, trackers may fail."""

from __future__ import annotations

import csv
import json
import logging
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from inpaint.errors import ConfigError
from inpaint.training import loggers
from inpaint.training.config import WandbConfig
from inpaint.training.csvlog import CsvLogger
from inpaint.training.wandblog import WandbTracker
from inpaint.weights.runs import RunFolder
from wandb_file import Recorded


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def panel(count: int = 2) -> list[dict]:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (count, 4, 12, 10, 3), dtype=np.uint8)
    mask = np.zeros((12, 10), dtype=np.uint8)
    mask[3:7, 2:9] = 1
    names = ("masked", "coarse", "completed", "original")
    return [{**dict(zip(names, row, strict=True)), "mask": mask} for row in images]


# metrics.csv --------------------------------------------------------------------------------------------------------


def test_every_number_stands_in_the_file_at_once(tmp_path):
    path = tmp_path / "metrics.csv"
    logger = CsvLogger(path)
    logger.log_metrics({"train/loss_g": torch.tensor(0.1), "images": 3}, step=10)
    assert read(path) == [{"iteration": "10", "train/loss_g": "0.100000001", "images": "3"}]
    logger.log_metrics({"train/loss_g": 0.5, "images": 4}, step=20)
    assert [row["iteration"] for row in read(path)] == ["10", "20"]


def test_numbers_of_one_iteration_share_a_row_and_new_columns_leave_old_rows_empty(tmp_path):
    path = tmp_path / "metrics.csv"
    logger = CsvLogger(path)
    logger.log_metrics({"a": 1}, step=1)
    logger.log_metrics({"a": 2}, step=2)
    logger.log_metrics({"val": 7}, step=2)
    logger.log_metrics({"a": 3, "val": 123456}, step=3)
    logger.log_metrics({"val": 8}, step=3)
    assert read(path) == [
        {"iteration": "1", "a": "1", "val": ""},
        {"iteration": "2", "a": "2", "val": "7"},
        {"iteration": "3", "a": "3", "val": "8"},
    ]


def test_a_resumed_run_drops_the_rows_after_its_iteration(tmp_path):
    path = tmp_path / "metrics.csv"
    first = CsvLogger(path)
    for step in (10, 20, 30):
        first.log_metrics({"a": step}, step=step)
    first.log_metrics({"late": 1}, step=30)
    resumed = CsvLogger(path, start_iteration=20)
    resumed.log_metrics({"a": 31}, step=30)
    assert read(path) == [{"iteration": str(step), "a": a} for step, a in ((10, "10"), (20, "20"), (30, "31"))]


def test_a_run_that_starts_anew_empties_the_file(tmp_path):
    path = tmp_path / "metrics.csv"
    CsvLogger(path).log_metrics({"old": 1}, step=5)
    CsvLogger(path).log_metrics({"new": 2}, step=5)
    assert read(path) == [{"iteration": "5", "new": "2"}]


@settings(max_examples=30, deadline=None)
@given(cut=st.integers(0, 60))
def test_a_file_torn_at_any_byte_resumes_with_its_whole_rows(tmp_path_factory, cut):
    path = tmp_path_factory.mktemp("torn") / "metrics.csv"
    logger = CsvLogger(path)
    for step in (10, 20, 30):
        logger.log_metrics({"a": step / 7, "b": step}, step=step)
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    torn = whole[: max(0, len(whole) - cut)]
    path.write_bytes(torn)
    resumed = CsvLogger(path, start_iteration=30)
    resumed.log_metrics({"a": 4, "b": 40}, step=40)
    complete = [line for i, line in enumerate(lines) if i > 0 and len(b"".join(lines[: i + 1])) <= len(torn)]
    assert [row["iteration"] for row in read(path)] == [line.split(b",")[0].decode() for line in complete] + ["40"]


def test_further_processes_write_nothing(tmp_path, monkeypatch):
    from pytorch_lightning.utilities import rank_zero_only

    monkeypatch.setattr(rank_zero_only, "rank", 1)
    path = tmp_path / "metrics.csv"
    CsvLogger(path).log_metrics({"a": 1}, step=1)
    assert not path.exists()


def test_a_number_without_an_iteration_is_our_own_mistake(tmp_path):
    with pytest.raises(ValueError, match="keyed by iteration"):
        CsvLogger(tmp_path / "metrics.csv").log_metrics({"a": 1})


# Choice -------------------------------------------------------------------------------------------------------------


def test_csv_comes_always_and_first(tmp_path):
    made = loggers.build("tensorboard", run=RunFolder(tmp_path), config={})
    assert isinstance(made[0], CsvLogger)
    assert len(made) == 2
    assert [type(one) for one in loggers.build(None, run=RunFolder(tmp_path), config={})] == [CsvLogger]
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_logger_names_the_known_ones(tmp_path):
    with pytest.raises(ConfigError, match=r"unknown logger 'wandbb' \(did you mean 'wandb'\?\); valid: csv"):
        loggers.build(["csv", "wandbb"], run=RunFolder(tmp_path), config={})


def test_tensorboard_holds_numbers_and_the_panel_by_iteration(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    made = loggers.build(["tensorboard"], run=RunFolder(tmp_path), config={})
    for logger in made:
        logger.log_metrics({"train/loss_g": 0.25}, step=7)
    loggers.log_panel(made, iteration=7, rows=panel())
    for logger in made:
        logger.finalize("success")
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [(event.step, event.value) for event in events.Scalars("train/loss_g")] == [(7, 0.25)]
    image = events.Images("panel/1")[0]
    assert (image.step, image.width, image.height) == (7, 4 * 10, 12)


def test_the_hparams_of_tensorboard_hold_every_option_and_name_the_best_figures(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams.metadata import parse_experiment_plugin_data, parse_session_start_info_plugin_data

    config = {"batch_size": 4, "ema": {"decay": None}, "data": {"masks": ["box", "deepfill"]}}
    best = {"val/l1_hole": "min", "val/own": "max"}
    (_, made) = loggers.build(["tensorboard"], run=RunFolder(tmp_path), config=config, best=best)
    made.log_metrics({"val/l1_hole": 0.25}, step=7)
    made.finalize("success")
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    contents = events.PluginTagToContent("hparams")
    start = parse_session_start_info_plugin_data(contents["_hparams_/session_start_info"])
    assert start.hparams["batch_size"].number_value == 4
    assert start.hparams["ema.decay"].string_value == "null"
    assert start.hparams["data.masks"].string_value == '["box", "deepfill"]'
    named = {info.name.tag for info in parse_experiment_plugin_data(contents["_hparams_/experiment"]).metric_infos}
    assert named == {"val/l1_hole", "val/own"}
    assert [(event.step, event.value) for event in events.Scalars("val/l1_hole")] == [(7, 0.25)]


# W&B ----------------------------------------------------------------------------------------------------------------


class FakeRun:
    def __init__(self, calls: list, folder: Path, summary: dict) -> None:
        self.calls = calls
        self.summary = summary
        self.config = self
        self.id = "abc"
        self.dir = str(folder / "wandb" / "offline-run-1" / "files")
        Path(self.dir).mkdir(parents=True, exist_ok=True)

    def log(self, values):
        self.calls.append(("log", values))

    def update(self, values, **options):
        self.calls.append(("config", values, options))

    def define_metric(self, name, **options):
        self.calls.append(("define", name, options))

    def finish(self, exit_code):
        self.calls.append(("finish", exit_code))


class FakeWandb(types.ModuleType):
    """W&B that notes what it is told. `fail` maps a mode of init, or "log", to the error raised there."""

    def __init__(self, folder: Path, *, login: bool = False, fail: dict | None = None) -> None:
        super().__init__("wandb")
        self.calls: list = []
        self.inits: list[dict] = []
        self.summary: dict = {}
        self._folder, self._login, self._fail = folder, login, fail or {}

    def login(self, *, prompt, verify):
        assert prompt is False
        return self._login

    def Settings(self, **options):  # noqa: N802
        return options

    def Image(self, image, *, caption, masks):  # noqa: N802
        return (image.shape, caption, masks["hole"]["mask_data"].shape)

    def init(self, **options):
        if options["mode"] in self._fail:
            raise self._fail[options["mode"]]
        self.inits.append(options)
        session = FakeRun(self.calls, self._folder, self.summary)
        if "log" in self._fail:
            session.log = self._raise
        return session

    def _raise(self, values):
        raise self._fail["log"]


@pytest.fixture
def fake(monkeypatch, tmp_path):
    monkeypatch.delenv("WANDB_MODE", raising=False)
    for name in ("PROJECT", "ENTITY", "NAME", "RUN_ID"):
        monkeypatch.delenv(f"WANDB_{name}", raising=False)

    def install(**options) -> FakeWandb:
        module = FakeWandb(tmp_path, **options)
        monkeypatch.setitem(sys.modules, "wandb", module)
        return module

    return install


def tracker(folder: Path, start_iteration: int = 0, going_on: dict | None = None, **options) -> WandbTracker:
    return WandbTracker(
        RunFolder(folder / "my-run"),
        config={"batch_size": 4},
        options=WandbConfig(**options),
        start_iteration=start_iteration,
        best={"val/l1_hole": "min", "val/psnr_hole": "max"},
        **(going_on or {}),
    )


def test_wandb_records_over_the_iteration_with_best_figures_in_the_summary(fake, tmp_path):
    wandb = fake(login=True)
    made = tracker(tmp_path, group="sweep", tags=["a"])
    made.log_metrics({"val/l1_hole": torch.tensor(0.5)}, step=9)
    made.finalize("success")
    options = wandb.inits[0]
    assert (options["mode"], options["group"], options["tags"], options["name"]) == ("online", "sweep", ["a"], "my-run")
    assert options["config"]["batch_size"] == 4
    assert "torch" in options["config"]["facts"]["versions"]
    assert ("define", "*", {"step_metric": "iteration"}) in wandb.calls
    assert ("define", "val/l1_hole", {"step_metric": "iteration", "summary": "min"}) in wandb.calls
    assert ("define", "val/psnr_hole", {"step_metric": "iteration", "summary": "max"}) in wandb.calls
    assert ("log", {"val/l1_hole": 0.5, "iteration": 9}) in wandb.calls
    assert wandb.calls[-1] == ("finish", 0)
    assert made.closing_lines() == []


def test_wandb_without_login_records_offline_and_says_how_to_upload(fake, tmp_path):
    wandb = fake(login=False)
    made = tracker(tmp_path)
    made.log_metrics({"a": 1}, step=1)
    assert wandb.inits[0]["mode"] == "offline"
    assert loggers.closing_lines([made]) == [
        f"W&B recorded offline; upload with: wandb sync {tmp_path / 'wandb' / 'offline-run-1'}"
    ]


def test_wandb_that_cannot_be_reached_records_offline(fake, tmp_path, caplog):
    wandb = fake(login=True, fail={"online": ConnectionError("no route")})
    made = tracker(tmp_path)
    made.log_metrics({"a": 1}, step=1)
    assert [options["mode"] for options in wandb.inits] == ["offline"]
    assert "no route" in caplog.text
    assert made.closing_lines()


@pytest.mark.parametrize(
    "reason",
    [
        "Error uploading run: returned error 403: permission denied",
        "It appears that you do not have permission to access the requested resource",
        "project not found (<Response [404]>)",
    ],
)
def test_a_missing_right_is_said_before_the_training_with_whose_project_it_is(reason, fake, tmp_path, caplog):
    wandb = fake(login=True, fail={"online": RuntimeError(reason)})
    made = tracker(tmp_path, entity="team", project="faces")
    made.start()
    assert [options["mode"] for options in wandb.inits] == ["offline"]
    assert (
        "no project 'team/faces', recording offline: give a wandb.entity and wandb.project of your own" in caplog.text
    )
    assert wandb.calls == [call for call in wandb.calls if call[0] != "log"]


def test_the_variables_of_wandb_itself_are_honored(fake, tmp_path, monkeypatch):
    wandb = fake(login=True)
    for name, value in {"WANDB_NAME": "mine", "WANDB_RUN_ID": "sweep1", "WANDB_ENTITY": "team"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("WANDB_PROJECT", "faces")
    tracker(tmp_path).start()
    options = wandb.inits[0]
    assert [options[key] for key in ("name", "id", "entity", "project")] == ["mine", "sweep1", "team", "faces"]
    tracker(tmp_path, name="given").start()
    assert wandb.inits[1]["name"] == "given"
    monkeypatch.delenv("WANDB_RUN_ID")
    tracker(tmp_path, start_iteration=5).start()
    assert wandb.inits[2]["id"] == "sweep1"  # the run that the agent has begun goes on


def test_wandb_mode_of_the_environment_wins(fake, tmp_path, monkeypatch):
    wandb = fake(login=True)
    monkeypatch.setenv("WANDB_MODE", "disabled")
    tracker(tmp_path, mode="online").log_metrics({"a": 1}, step=1)
    assert wandb.inits[0]["mode"] == "disabled"


def test_a_resumed_run_continues_the_same_wandb_run_and_a_new_one_does_not(fake, tmp_path):
    wandb = fake(login=True)
    for start in (0, 50, 0):
        tracker(tmp_path, start_iteration=start).log_metrics({"a": 1}, step=start + 1)
    first, resumed, anew = (options["id"] for options in wandb.inits)
    assert first == resumed != anew
    assert wandb.inits[1]["resume"] == "allow"
    assert json.loads((tmp_path / "my-run" / "wandb.json").read_text())["id"] == anew


def test_numbers_that_wandb_has_from_before_a_crash_are_not_sent_twice(fake, tmp_path):
    wandb = fake(login=True)
    before = tracker(tmp_path)
    for step in (2, 4, 6):
        before.log_metrics({"a": step}, step=step)
    before.log_metrics({"val/l1_hole": 0.5}, step=6)
    after = tracker(tmp_path, start_iteration=2)  # killed after 6, saved at 2
    for step in (4, 6, 8):
        after.log_metrics({"a": step}, step=step)
        after.log_metrics({"val/l1_hole": 0.5}, step=step)
        after.log_panel(iteration=step, rows=panel())
    sent = [call[1]["iteration"] for call in wandb.calls if call[0] == "log" and "a" in call[1]]
    assert sent == [2, 4, 6, 8]
    assert [c[1]["iteration"] for c in wandb.calls if c[0] == "log" and "val/l1_hole" in c[1]] == [6, 8]


def test_the_summary_of_a_resumed_run_holds_the_best_of_all_its_starts(fake, tmp_path):
    wandb = fake(login=True)
    before = tracker(tmp_path)
    for step, error in ((2, 0.3), (4, 0.1), (6, 0.2)):
        before.log_metrics({"val/l1_hole": error, "val/psnr_hole": 10 * error}, step=step)
    tracker(tmp_path, start_iteration=6).log_metrics({"val/l1_hole": 0.4, "val/psnr_hole": 9.0}, step=8)
    assert wandb.summary == {"val/l1_hole": {"min": 0.1}, "val/psnr_hole": {"max": 9.0}}


def test_a_run_that_goes_on_tells_wandb_its_configuration_of_now(fake, tmp_path):
    wandb = fake(login=True)
    for start in (0, 5):
        tracker(tmp_path, start_iteration=start).start()
    assert [call for call in wandb.calls if call[0] == "config"] == [
        ("config", {"batch_size": 4}, {"allow_val_change": True})
    ]


@pytest.mark.parametrize(
    ("going_on", "sent", "best"),
    [
        ({}, [2, 4, 6, 8], 0.1),  # what is trained again gives the same
        ({"exact": False}, [2, 4, 6, 4, 6, 8], 0.3),
        ({"stale": ["val/l1_hole"]}, [2, 4, 6, 8], 0.4),
        ({"stale": ["val/psnr_hole"]}, [2, 4, 6, 8], 0.1),
    ],
)
def test_the_best_of_a_run_that_goes_on_otherwise_is_that_of_the_course_that_stays(
    going_on, sent, best, fake, tmp_path
):
    wandb = fake(login=True)
    before = tracker(tmp_path)
    for step, error in ((2, 0.3), (4, 0.1), (6, 0.2)):
        before.log_metrics({"val/l1_hole": error}, step=step)
    after = tracker(tmp_path, start_iteration=2, going_on=going_on)
    for step in (4, 6, 8):
        after.log_metrics({"val/l1_hole": 0.4}, step=step)
    assert [call[1]["iteration"] for call in wandb.calls if call[0] == "log"] == sent
    assert wandb.summary == {"val/l1_hole": {"min": best}}


@pytest.mark.parametrize("damage", [None, "{", '{"id": "abc"}', "[]"])
def test_what_a_run_remembers_of_wandb_may_be_of_an_earlier_version_or_damaged(damage, fake, tmp_path):
    wandb = fake(login=True)
    (tmp_path / "my-run").mkdir()
    if damage is not None:
        (tmp_path / "my-run" / "wandb.json").write_text(damage)
    tracker(tmp_path, start_iteration=5).log_metrics({"a": 1}, step=6)
    assert ("log", {"a": 1, "iteration": 6}) in wandb.calls
    assert (wandb.inits[0]["id"] == "abc") == (damage == '{"id": "abc"}')


def test_the_panel_carries_the_mask_and_sends_unchanging_images_once(fake, tmp_path):
    wandb = fake(login=True)
    made = tracker(tmp_path)
    rows = panel()
    for row in rows:
        row["coarse"] = None  # a model without a first stage
    loggers.log_panel([made], iteration=5, rows=rows)
    loggers.log_panel([made], iteration=6, rows=rows)
    first, second = (call[1] for call in wandb.calls if call[0] == "log")
    assert set(first) == {"panel/completed", "panel/masked", "panel/original", "iteration"}
    assert set(second) == {"panel/completed", "iteration"}
    assert first["panel/completed"][1] == ((12, 10, 3), "photo 1, iteration 5", (12, 10))


@pytest.mark.parametrize(
    "fail", [{"log": RuntimeError("socket closed")}, {"offline": OSError("disk full")}], ids=["log", "init"]
)
def test_a_broken_wandb_warns_once_and_the_csv_goes_on(fake, tmp_path, caplog, fail):
    fake(login=False, fail=fail)
    made = loggers.build(["wandb"], run=RunFolder(tmp_path / "run"), config={})
    with caplog.at_level(logging.WARNING, logger="inpaint"):
        for step in (1, 2):
            for logger in made:
                logger.log_metrics({"a": 1}, step=step)
        loggers.log_panel(made, iteration=2, rows=panel())
        for logger in made:
            logger.finalize("success")
    assert len([record for record in caplog.records if "W&B" in record.message]) == 1
    assert len(read(tmp_path / "run" / "metrics.csv")) == 2


def test_a_missing_wandb_warns_and_the_csv_goes_on(monkeypatch, tmp_path, caplog):
    monkeypatch.setitem(sys.modules, "wandb", None)
    made = loggers.build(["wandb"], run=RunFolder(tmp_path), config={})
    for logger in made:
        logger.log_metrics({"a": 1}, step=1)
    assert "W&B failed" in caplog.text
    assert len(read(tmp_path / "metrics.csv")) == 1


@pytest.mark.slow
def test_what_the_real_wandb_records_offline_compares_with_other_runs_out_of_the_box(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("HOME", str(tmp_path))
    made = WandbTracker(
        RunFolder(tmp_path / "my-run"),
        config={"batch_size": 4, "data": {"size": 64, "val": {"scenes": {"root": "photos"}}}},
        options=WandbConfig(group="widths", tags=["narrow"]),
        best={"val/l1_hole": "min", "val/scenes/psnr": "max"},
    )
    made.log_metrics({"train/loss_g": 1.5}, step=1)
    for step, error, psnr in ((2, 0.5, 20.0), (4, 0.3, 22.0), (6, 0.4, 21.0)):
        made.log_metrics({"val/l1_hole": error, "val/scenes/psnr": psnr}, step=step)
    made.log_panel(iteration=6, rows=panel())
    made.finalize("success")
    assert not made._broken
    found = Recorded.read(tmp_path / "my-run")
    assert (found.name, found.group, found.tags) == ("my-run", "widths", ["narrow"])
    assert found.config["batch_size"] == 4
    assert found.config["data"] == {"size": 64, "val": {"scenes": {"root": "photos"}}}
    assert "torch" in found.config["facts"]["versions"]
    assert [row["iteration"] for row in found.history] == [1, 2, 4, 6, 6]
    assert found.metrics["*"]["axis"] == "iteration"
    assert found.metrics["val/l1_hole"] == {"axis": "iteration", "best": ["min"]}
    assert found.metrics["val/scenes/psnr"] == {"axis": "iteration", "best": ["max"]}
    assert found.summary["val/l1_hole"] == {"min": 0.3}
    assert found.summary["val/scenes/psnr"] == {"max": 22}
    shown = found.history[-1]
    assert shown["panel/completed.captions"] == ["photo 0, iteration 6", "photo 1, iteration 6"]
    (folder,) = (tmp_path / "my-run" / "wandb").glob("offline-run-*")
    for file, masks in zip(shown["panel/completed.filenames"], shown["panel/completed.all_masks"], strict=True):
        assert np.asarray(Image.open(folder / "files" / file)).shape == (12, 10, 3)
        overlay = np.asarray(Image.open(folder / "files" / masks["hole"]["path"]))
        assert np.array_equal(overlay > 0, panel()[0]["mask"] == 1)
    assert str(folder) in made.closing_lines()[0]
