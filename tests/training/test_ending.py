"""Whatever ends a training, the state is saved first, and a failing disk or logger ends none."""

from __future__ import annotations

import errno
import logging
import multiprocessing
import os
import re
import shlex
import shutil

import pytest
import torch
from pytorch_lightning import Callback
from pytorch_lightning.loggers import TensorBoardLogger

from inpaint.cli.main import run as inpaint
from inpaint.data import module as data_module
from inpaint.data.stream import SampleStream
from inpaint.errors import DataError, DivergedError, InpaintError, LostRunError, RunError, WriteError
from inpaint.training import checkpoints
from inpaint.training.checkpoints import read_checkpoint, write_checkpoint
from inpaint.training.csvlog import CsvLogger
from inpaint.training.loggers import Tolerant
from inpaint.weights.files import load_weights


class Before(Callback):
    """Does something when an iteration is about to begin, a number of them being complete."""

    def __init__(self, iteration, action):
        self.iteration, self.action = iteration, action

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if pl_module.iteration == self.iteration:
            self.action(pl_module)


def failing(error):
    def fail(module):
        raise error

    return fail


def with_workers(run, count=1):
    run.data.config = run.data.config.model_copy(update={"workers": count})
    return run


# Errors --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [RuntimeError("cuDNN\nfailed"), OSError(errno.EIO, "I/O error"), KeyError("x")])
def test_an_error_of_any_kind_saves_and_is_one_line_that_says_where_it_came_from(tiny_run, error):
    run = tiny_run(save_every=100, max_iterations=50, callbacks=[Before(4, failing(error))])
    with pytest.raises(RunError) as raised:
        run.fit()
    assert read_checkpoint(run.folder.last)["iteration"] == 4
    assert load_weights(run.folder.weights)[1].iteration == 4
    assert "\n" not in str(raised.value)
    assert f"an error ended the training: {type(error).__name__}: " in str(raised.value)
    assert f"(where: {run.folder.traceback}); saved at iteration 4, go on with: inpaint train" in str(raised.value)
    assert "in fail\n    raise error" in run.folder.traceback.read_text()


def test_a_program_that_ends_itself_saves(tiny_run):
    run = tiny_run(save_every=100, max_iterations=50, callbacks=[Before(4, failing(SystemExit(3)))])
    with pytest.raises(SystemExit):
        run.fit()
    assert read_checkpoint(run.folder.last)["iteration"] == 4


def test_an_error_of_the_program_in_a_worker_is_one_line(tiny_run, monkeypatch):
    ask = SampleStream.__getitem__

    def fail_later(stream, number):
        if number >= 12:
            raise IndexError("list index out of range")
        return ask(stream, number)

    monkeypatch.setattr(SampleStream, "__getitem__", fail_later)
    run = with_workers(tiny_run(max_iterations=50, save_every=100))
    with pytest.raises(RunError, match=r"an error ended the training: IndexError: list index .*; saved at iteration 3"):
        run.fit()
    assert "in fail_later" in run.folder.traceback.read_text()


def test_workers_that_cannot_start_are_one_line(tiny_run, monkeypatch, capsys):
    start, started = multiprocessing.process.BaseProcess.start, []

    def refuse(process):
        started.append(process)
        if len(started) == 2:
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
        start(process)

    monkeypatch.setattr(multiprocessing.process.BaseProcess, "start", refuse)
    with pytest.raises(DataError, match=r"a data worker .*temporarily unavailable.*data\.workers=0"):
        with_workers(tiny_run(), count=2).fit()
    assert "Traceback" not in capsys.readouterr().err


def test_the_state_that_an_error_saves_is_that_of_an_uninterrupted_run(tiny_run):
    whole = tiny_run("whole")
    whole.fit()
    broken = tiny_run("run", save_every=100, callbacks=[Before(4, failing(DataError("gone")))])
    with pytest.raises(DataError, match="gone; saved at iteration 4, go on with: inpaint train"):
        broken.fit()
    tiny_run("run", resume=broken.folder.last).fit()
    assert whole.state().keys() == (there := tiny_run("run").state()).keys()
    assert all(torch.equal(value, there[name]) for name, value in whole.state().items())


def test_an_error_within_an_iteration_says_that_bits_may_differ(tiny_run, monkeypatch):
    run = tiny_run(save_every=100, max_iterations=50)
    step = run.module._step

    def fail(update):
        if run.module.iteration == 3 and update.optimizer == "discriminator":
            raise InpaintError("stop")
        step(update)

    monkeypatch.setattr(run.module, "_step", fail)
    with pytest.raises(InpaintError, match=r"stop; saved at iteration 3 \(in the middle of an iteration"):
        run.fit()
    assert run.folder.last.exists()


def test_memory_that_runs_out_is_one_line_with_what_needs_less(tiny_run):
    error = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
    run = tiny_run(save_every=100, max_iterations=50, callbacks=[Before(2, failing(error))])
    with pytest.raises(
        RunError, match=r"memory ran out in iteration 2: a smaller batch_size.*; saved at iteration 2, go"
    ):
        run.fit()


def test_an_error_before_the_first_iteration_leaves_the_folder_as_it_was(tiny_run):
    run = tiny_run(callbacks=[Before(0, failing(DataError("none")))])
    with pytest.raises(DataError, match=r"^none$"):
        run.fit()
    assert not run.folder.last.exists()


def test_a_run_that_another_process_has_taken_over_is_not_written_into(tiny_run):
    run = tiny_run(save_every=100, max_iterations=50, callbacks=[Before(2, failing(LostRunError("taken over")))])
    with pytest.raises(LostRunError, match=r"^taken over$"):
        run.fit()
    assert not run.folder.last.exists()


# Data ----------------------------------------------------------------------------------------------------------------


def test_a_worker_that_is_killed_is_one_line_and_the_state_is_saved(tiny_run):
    others = multiprocessing.active_children()

    def kill(module):
        next(child for child in multiprocessing.active_children() if child not in others).kill()

    run = with_workers(tiny_run(save_every=1000, max_iterations=2000, callbacks=[Before(3, kill)]))
    with pytest.raises(
        DataError, match=r"a data worker was killed, or lacked memory .*data\.workers=0 .*; saved at"
    ) as caught:
        run.fit()
    saved = int(re.search(r"saved at iteration (\d+), go on", str(caught.value))[1])
    assert saved >= 3
    assert read_checkpoint(run.folder.last)["iteration"] == saved


@pytest.mark.parametrize(
    "lack",
    [
        "unable to write to file </torch_12_34>: No space left on device (28)",
        "unable to open shared memory object </torch_1> in read-write mode: Too many open files (24)",
        "unable to mmap 196608 bytes from file </torch_1>: Cannot allocate memory (12)",
    ],
)
def test_workers_without_shared_memory_say_what_needs_none(tiny_run, monkeypatch, lack):
    collate, main = data_module.default_collate, os.getpid()

    def starving(samples):
        if os.getpid() != main and samples[0]["number"] >= 8:
            raise RuntimeError(lack)
        return collate(samples)

    monkeypatch.setattr(data_module, "default_collate", starving)
    run = with_workers(tiny_run(max_iterations=50, save_every=100))
    with pytest.raises(DataError) as caught:
        run.fit()
    assert lack in str(caught.value)
    assert "data.workers=0 needs no shared memory" in str(caught.value)
    assert "--shm-size" in str(caught.value)
    assert read_checkpoint(run.folder.last)["iteration"] == 2


@pytest.mark.parametrize("workers", [0, 1])
def test_a_disk_that_fails_in_the_middle_saves_and_names_the_sample(tiny_run, monkeypatch, workers):
    ask = SampleStream.__getitem__

    def fail_later(stream, number):
        if number >= 12:
            raise OSError(errno.ESTALE, "Stale file handle")
        return ask(stream, number)

    monkeypatch.setattr(SampleStream, "__getitem__", fail_later)
    run = with_workers(tiny_run(max_iterations=50, save_every=100), workers)
    with pytest.raises(DataError, match=r"sample 12 cannot be read: .*Stale file handle; saved at iteration 3"):
        run.fit()
    assert read_checkpoint(run.folder.last)["iteration"] == 3


def test_photos_that_vanish_end_the_training_saved(tiny_run, photos):
    run = tiny_run(max_iterations=50, save_every=100, callbacks=[Before(3, lambda module: shutil.rmtree(photos))])
    with pytest.raises(InpaintError, match=r"cannot read .*; saved at iteration \d, go on with") as caught:
        run.fit()
    assert f"saved at iteration {read_checkpoint(run.folder.last)['iteration']}," in str(caught.value)


# Writing -------------------------------------------------------------------------------------------------------------


def test_a_checkpoint_that_finds_no_room_costs_a_warning_and_is_tried_again(tiny_run, monkeypatch, caplog):
    write, asked = checkpoints.write_checkpoint, []

    def full_at_first(path, state):
        asked.append(path.name)
        if len(asked) == 1:
            raise WriteError(f"cannot write '{path}': No space left on device")
        write(path, state)

    monkeypatch.setattr(checkpoints, "write_checkpoint", full_at_first)
    run = tiny_run(save_every=2, max_iterations=4, validation={"every": 100, "panel": 0, "batch_size": 2})
    run.fit()
    assert "iteration 2 is not saved, trying again in 2: cannot write" in caplog.text
    assert read_checkpoint(run.folder.last)["iteration"] == 4


def test_the_last_checkpoint_that_finds_no_room_is_an_error(tiny_run, monkeypatch):
    def full(path, state):
        raise WriteError(f"cannot write '{path}': No space left on device")

    monkeypatch.setattr(checkpoints, "write_checkpoint", full)
    with pytest.raises(WriteError, match="No space left on device"):
        tiny_run(save_every=2, max_iterations=4).fit()


def test_a_run_folder_that_somebody_removes_is_made_again(tiny_run):
    run = tiny_run(save_every=3, max_iterations=6)
    run.callbacks = [Before(1, lambda module: shutil.rmtree(run.folder.path))]
    run.fit()
    assert read_checkpoint(run.folder.last)["iteration"] == 6


def test_a_state_that_is_not_finite_leaves_the_old_checkpoint(tmp_path):
    path = tmp_path / "last.ckpt"
    path.write_bytes(b"good")
    weights = {"generator.weight": torch.ones(3), "generator.bias": torch.tensor([0.0, float("inf")])}
    with pytest.raises(DivergedError, match=r"network\.generator\.bias is not finite after iteration 7"):
        write_checkpoint(path, {"iteration": 7, "network": weights, "optimizers": {}})
    assert path.read_bytes() == b"good"


@pytest.mark.parametrize("part", ["discriminators", "average", "network"])
def test_weights_that_are_not_finite_replace_no_good_ones(tiny_run, part):
    def poison(module):
        network = {
            "discriminators": module.discriminators,
            "average": module.average.network,
            "network": module.network,
        }
        with torch.no_grad():
            next(network[part].parameters()).fill_(float("nan"))

    run = tiny_run(save_every=2, max_iterations=8, callbacks=[Before(3, poison)])
    with pytest.raises(DivergedError):
        run.fit()
    good = read_checkpoint(run.folder.last)
    assert good["iteration"] == 2
    assert all(value.isfinite().all() for value in run.state().values())
    assert all(value.isfinite().all() for value in load_weights(run.folder.weights)[0].values())


TINY = [
    *("data.size=32", "data.workers=0", "model.width=8", "model.discriminator.width=4", "batch_size=2", "log_every=1"),
    *("trainer.accelerator=cpu", "trainer.devices=1", "trainer.threads=1", "validation.panel=0"),
]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["save_every=100", "validation.every=100"], "nothing was saved yet; start again"),
        (["save_every=1", "validation.every=100"], "start again"),
        (["save_every=1", "validation.every=1"], ""),
    ],
)
def test_the_advice_after_a_divergence_works_when_typed(photos, tmp_path, capsys, options, said):
    folder = tmp_path / "run"
    start = ["train", *TINY, f"data.root={photos}", f"run.folder={folder}", "max_iterations=6", *options]
    assert inpaint([*start, *(f"optimizers.{name}.lr=1e9" for name in ("generator", "discriminator"))]) == 1
    message = capsys.readouterr().err.strip().splitlines()[-1]
    assert message.startswith("error: ")
    assert said in message
    program, *arguments = shlex.split(message[message.index("inpaint train") :])
    assert program == "inpaint"
    assert inpaint(arguments) == 0, capsys.readouterr().err


def test_the_advice_goes_back_to_a_state_that_was_good(photos, tmp_path, capsys):
    folder = tmp_path / "run"
    assert inpaint(["train", *TINY, f"data.root={photos}", f"run.folder={folder}", "max_iterations=3"]) == 0
    raised = [f"run.folder={folder}", "resume=auto", "max_iterations=9", "save_every=100", "validation.every=100"]
    assert inpaint(["train", *raised, *(f"optimizers.{n}.lr=1e9" for n in ("generator", "discriminator"))]) == 1
    message = capsys.readouterr().err.strip().splitlines()[-1]
    assert "go back to iteration 3 with a smaller rate: " in message
    assert inpaint(shlex.split(message[message.index("inpaint train") :])[1:]) == 0, capsys.readouterr().err
    assert read_checkpoint(folder / "last.ckpt")["iteration"] == 9


def test_a_state_that_leads_to_the_divergence_again_is_not_proposed_again(photos, tmp_path, capsys):
    folder = tmp_path / "run"
    common = ["train", *TINY, f"data.root={photos}", f"run.folder={folder}", "save_every=1", "validation.every=100"]
    assert inpaint([*common, "max_iterations=1", "optimizers.generator.lr=1e9"]) in (0, 1)
    assert inpaint(["train", f"run.folder={folder}", "resume=auto", "max_iterations=4"]) == 1
    message = capsys.readouterr().err.strip().splitlines()[-1]
    assert "start again with a smaller rate: inpaint train --config-dir" in message
    assert inpaint(shlex.split(message[message.index("inpaint train") :])[1:]) == 0, capsys.readouterr().err


# Loggers -------------------------------------------------------------------------------------------------------------


def test_a_metrics_file_that_is_removed_begins_anew(tiny_run):
    run = tiny_run(log_every=1, max_iterations=6)
    run.callbacks = [Before(3, lambda module: run.folder.metrics.unlink())]
    run.fit()
    iterations = [line.split(",")[0] for line in run.folder.metrics.read_text().splitlines()]
    assert iterations == ["iteration", "4", "5", "6"]


def test_a_row_that_finds_no_room_leaves_no_half_a_line(tmp_path, monkeypatch):
    logger = CsvLogger(tmp_path / "metrics.csv")
    logger.log_metrics({"a": 1}, step=1)
    real = CsvLogger._cells
    monkeypatch.setattr(CsvLogger, "_cells", lambda self, row: [*real(self, row), "x" * (1 << 16)])
    limited = pytest.importorskip("resource")
    before = limited.getrlimit(limited.RLIMIT_FSIZE)
    limited.setrlimit(limited.RLIMIT_FSIZE, (1 << 12, before[1]))
    try:
        with pytest.raises(OSError, match=r"No space left|too large"):
            logger.log_metrics({"a": 2}, step=2)
    finally:
        limited.setrlimit(limited.RLIMIT_FSIZE, before)
    monkeypatch.setattr(CsvLogger, "_cells", real)
    logger.log_metrics({"a": 3}, step=3)
    assert (tmp_path / "metrics.csv").read_text() == "iteration,a\n1,1\n3,3\n"


def test_a_tracker_that_cannot_write_costs_one_warning(tiny_run, tmp_path, caplog, monkeypatch):
    (tmp_path / "tensorboard").write_text("a file")
    logger = Tolerant(TensorBoardLogger(tmp_path, name="", version="tensorboard"))
    for step in range(3):
        logger.log_metrics({"a": step}, step=step)
    logger.save()
    logger.finalize("success")
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(said) == 1
    assert "the training goes on" in said[0]


def test_a_panel_that_cannot_be_written_is_left_out(tiny_run, caplog):
    run = tiny_run(max_iterations=4)
    run.folder.panels.write_text("a file")
    run.fit()
    assert "the panel of iteration 4 is left out" in caplog.text
    assert read_checkpoint(run.folder.last)["iteration"] == 4
