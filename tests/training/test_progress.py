"""Progress and plan of a training."""

from __future__ import annotations

import io
from types import SimpleNamespace

import pytest

from inpaint.training.callbacks import IterationCallback
from inpaint.training.progress import RunConsole, TrainingProgress, progress_text


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Figures(IterationCallback):
    def __init__(self, module: SimpleNamespace) -> None:
        super().__init__(module)
        self.latest = {"train/loss_g": 0.5, "other": 1.0}


def train(progress: TrainingProgress, module: SimpleNamespace, clock: Clock, *, seconds_each: float, upto: int) -> None:
    trainer = SimpleNamespace(is_global_zero=True, callbacks=[Figures(module), object()])
    progress.on_train_start(trainer, module)
    while module.iteration < upto:
        module.iteration += 1
        clock.now += seconds_each
        progress.on_train_batch_end(trainer, module, None, None, 0)
    progress.teardown(trainer, module, "fit")


@pytest.fixture
def module() -> SimpleNamespace:
    return SimpleNamespace(iteration=0, best_metric="l1_hole", loop=SimpleNamespace(max_iterations=100, batch_size=8))


def test_a_log_file_gets_few_plain_lines_and_the_last(module):
    out, clock = io.StringIO(), Clock()
    progress = TrainingProgress(module, console=RunConsole(file=out, width=40), clock=clock)
    train(progress, module, clock, seconds_each=0.5, upto=100)
    lines = out.getvalue().splitlines()
    assert [line.split("  ")[0] for line in lines] == [f"iteration {done}/100" for done in (20, 40, 60, 80, 100)]
    assert lines[1] == "iteration 40/100  loss 0.5000  16.0 images/s  0:00:30 left"


def test_a_terminal_gets_one_line_that_moves(module):
    out, clock = io.StringIO(), Clock()
    progress = TrainingProgress(module, console=RunConsole(file=out, width=100, force_terminal=True), clock=clock)
    train(progress, module, clock, seconds_each=0.5, upto=100)
    shown = out.getvalue()
    assert "\x1b[?25h" in shown  # the cursor is back
    assert "iteration 100/100" in shown
    assert shown.count("\n") <= 3


def test_further_processes_are_silent(module):
    out = io.StringIO()
    progress = TrainingProgress(module, console=RunConsole(file=out))
    trainer = SimpleNamespace(is_global_zero=False, callbacks=[])
    module.iteration = 99
    progress.on_train_start(trainer, module)
    module.iteration = 100
    progress.on_train_batch_end(trainer, module, None, None, 0)
    assert out.getvalue() == ""


def test_the_line_leaves_out_what_is_not_known():
    assert progress_text(1, 10, images_per_s=0, remaining_s=None, figures={}) == (
        "iteration 1/10  0.0 images/s  estimating"
    )


def test_the_line_shows_the_metric_that_decides_what_is_best():
    text = progress_text(
        1, 10, images_per_s=0, remaining_s=None, figures={"val/edge_f1": 0.5, "val/l1_hole": 0.1}, metric="edge_f1"
    )
    assert text == "iteration 1/10  val edge_f1 0.5000  0.0 images/s  estimating"


def test_what_a_console_cannot_print_costs_no_training():
    narrow = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="strict")
    console = RunConsole(file=narrow)
    console.say("data         写真/, 32 px")
    console.say("iteration 2/4")
    narrow.flush()
    assert narrow.buffer.getvalue().decode().splitlines() == [r"data         \u5199\u771f/, 32 px", "iteration 2/4"]

    class Gone(io.StringIO):
        def write(self, text):
            raise OSError(5, "Input/output error")

    console = RunConsole(file=Gone())
    console.say("iteration 3/4")
    assert console.quiet
