import os
import shutil
import signal

import pytest
import torch
from pytorch_lightning import Callback

from inpaint.errors import ConfigError, DataError, RunError, WeightsError
from inpaint.registry.initial import load_initial
from inpaint.registry.loading import load
from inpaint.system import signals
from inpaint.training import figures
from inpaint.training.checkpoints import read_checkpoint
from inpaint.training.fit import _plugins
from inpaint.weights.files import load_weights

ADVERSARY = {"kind": "hinge", "of": "completed", "weight": 1.0}
RECONSTRUCTION = {
    "coarse": {"kind": "l1", "of": "coarse", "weight": 2.0},
    "refined": {"kind": "l1", "of": "raw", "weight": 2.0},
}


def assert_same_state(first, second):
    assert first.keys() == second.keys()
    different = [name for name in first if not torch.equal(first[name], second[name])]
    assert not different


class Signal(Callback):
    """Sends this process a signal during an iteration, as a user or a scheduler would."""

    def __init__(self, number, iteration):
        self.number, self.iteration = number, iteration

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if pl_module.iteration == self.iteration:
            os.kill(os.getpid(), self.number)


class Fail(Callback):
    """Raises an error when a number of iterations is complete."""

    def __init__(self, error, iteration):
        self.error, self.iteration = error, iteration

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if pl_module.iteration == self.iteration:
            raise self.error


class Unready(Callback):
    """Raises an error after the state was read and before anything is trained."""

    def on_fit_start(self, trainer, pl_module):
        raise DataError("not ready")


def test_stopping_and_resuming_gives_the_bits_of_an_uninterrupted_run(tiny_run):
    whole = tiny_run("whole", max_iterations=6)
    whole.fit()
    tiny_run("parts", max_iterations=3).fit()
    second = tiny_run("parts", max_iterations=6, resume=whole.folder.path.parent / "parts" / "last.ckpt")
    second.fit()
    state = whole.state()
    assert any("optimizers/discriminator" in name for name in state)
    assert any(name.startswith("/average") for name in state)
    assert_same_state(state, second.state())
    assert_same_state(*(load_weights(run.folder.weights)[0] for run in (whole, second)))


def test_a_resumed_run_has_the_metrics_of_an_uninterrupted_one(tiny_run):
    whole = tiny_run("whole", max_iterations=6)
    whole.fit()
    tiny_run("parts", max_iterations=3).fit()
    tiny_run("parts", max_iterations=6, resume=whole.folder.path.parent / "parts" / "last.ckpt").fit()

    def numbers(run):
        head, *rows = (line.split(",") for line in (run / "metrics.csv").read_text().splitlines())
        kept = [i for i, name in enumerate(head) if name == "iteration" or name.startswith("val/")]
        return [[row[i] for i in kept] for row in rows if row[0] in ("4", "6")]

    assert numbers(whole.folder.path) == numbers(whole.folder.path.parent / "parts")


def numbers_of(run):
    """Return the rows of metrics.csv without what depends on the clock."""
    head, *rows = (line.split(",") for line in run.folder.metrics.read_text().splitlines())
    kept = [place for place, name in enumerate(head) if not name.startswith("speed/")]
    return [{head[place]: row[place] for place in kept} for row in rows]


@pytest.mark.parametrize(
    ("stops", "how"),
    [
        ((1, 5, 6), "signal"),
        ((3,), "error"),
        pytest.param((3,), "signal", marks=pytest.mark.slow),
        pytest.param((1, 5, 6), "error", marks=pytest.mark.slow),
    ],
)
def test_rows_of_a_run_that_was_stopped_are_those_of_an_uninterrupted_one(tiny_run, stops, how):
    options = {"max_iterations": 8, "log_every": 4, "save_every": 100}
    whole = tiny_run("whole", **options)
    whole.fit()
    resume = None
    for stop in stops:
        cut = tiny_run("parts", resume=resume, **options)
        resume = cut.folder.last
        if how == "signal":
            cut.callbacks = [Signal(signal.SIGTERM, iteration=stop - 1)]
            assert cut.fit().iteration == stop
        else:
            cut.callbacks = [Fail(DataError("gone"), iteration=stop)]
            with pytest.raises(DataError, match=f"saved at iteration {stop},"):
                cut.fit()
    last = tiny_run("parts", resume=resume, **options)
    last.fit()
    assert numbers_of(last) == numbers_of(whole)


def test_a_stop_before_the_first_row_leaves_no_rows_of_the_course_that_was_lost(tiny_run):
    crashed = tiny_run(max_iterations=20, log_every=1, save_every=2, callbacks=[Fail(KeyboardInterrupt(), iteration=5)])
    with pytest.raises(KeyboardInterrupt):
        crashed.fit()
    assert [row["iteration"] for row in numbers_of(crashed)] == ["1", "2", "3", "4", "5"]
    stopped = tiny_run(
        max_iterations=20, log_every=100, resume=crashed.folder.last, callbacks=[Signal(signal.SIGTERM, iteration=4)]
    )
    assert stopped.fit().iteration == 5
    assert [row["iteration"] for row in numbers_of(stopped)] == ["1", "2", "3", "4"]


def test_going_back_replaces_the_last_checkpoint_together_with_the_rows(tiny_run):
    run = tiny_run(max_iterations=6, log_every=1, save_every=3, keep_every=2)
    run.fit()
    kept = run.folder.kept / "00000002.ckpt"
    back = tiny_run(
        max_iterations=6, log_every=1, save_every=100, resume=kept, callbacks=[Fail(KeyboardInterrupt(), 3)]
    )
    with pytest.raises(KeyboardInterrupt):
        back.fit()
    assert [row["iteration"] for row in numbers_of(back)] == ["1", "2", "3"]
    assert read_checkpoint(back.folder.last)["iteration"] == 3


@pytest.mark.parametrize("last", [4, 8])
def test_a_validation_that_an_error_breaks_off_is_made_up_for(tiny_run, monkeypatch, last):
    options = {"max_iterations": last, "log_every": 3, "save_every": 100}
    whole = tiny_run("whole", **options)
    whole.fit()
    measure, calls = figures.measured, []

    def fail_once(*arguments):
        calls.append(arguments)
        if len(calls) == 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return measure(*arguments)

    monkeypatch.setattr(figures, "measured", fail_once)
    broken = tiny_run("parts", **options)
    with pytest.raises(RunError, match=r"memory ran out .*; saved at iteration 4, go on"):
        broken.fit()
    rest = tiny_run("parts", resume=broken.folder.last, **options)
    result = rest.fit()
    assert result.validation
    assert numbers_of(rest) == numbers_of(whole)
    assert read_checkpoint(rest.folder.last)["best"] == read_checkpoint(whole.folder.last)["best"]
    again = tiny_run("parts", resume=rest.folder.last, **options)
    assert not again.fit().validation


def test_an_error_before_the_first_iteration_leaves_what_was_saved(tiny_run):
    run = tiny_run(max_iterations=4, keep_every=2)
    run.fit()
    before = {path: path.read_bytes() for path in run.folder.path.rglob("*") if path.is_file()}
    again = tiny_run(max_iterations=6, resume=run.folder.kept / "00000002.ckpt", callbacks=[Unready()])
    with pytest.raises(DataError, match=r"^not ready$"):
        again.fit()
    assert {path: path.read_bytes() for path in run.folder.path.rglob("*") if path.is_file()} == before


def test_a_signal_in_the_last_iteration_cuts_nothing_short(tiny_run):
    result = tiny_run(max_iterations=3, callbacks=[Signal(signal.SIGTERM, iteration=2)]).fit()
    assert (result.iteration, result.interrupted_by) == (3, None)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_ends_cleanly_and_the_run_can_go_on(tiny_run, number):
    whole = tiny_run("whole", max_iterations=5)
    whole.fit()
    before = signal.getsignal(number)
    cut = tiny_run("cut", max_iterations=5, callbacks=[Signal(number, iteration=1)])
    result = cut.fit()
    assert (result.interrupted_by, result.iteration) == (number, 2)
    assert signal.getsignal(number) == before
    rest = tiny_run("cut", max_iterations=5, resume=cut.folder.last)
    assert rest.fit().interrupted_by is None
    assert_same_state(whole.state(), rest.state())


def test_accumulation_equals_the_whole_batch(tiny_run):
    whole = tiny_run("whole", losses=RECONSTRUCTION, max_iterations=2)
    whole.fit()
    parts = tiny_run("parts", losses=RECONSTRUCTION, max_iterations=2, accumulate=2)
    parts.fit()
    theirs = parts.state()
    for name, value in whole.state().items():
        if value.is_floating_point() and "/network" in name:
            torch.testing.assert_close(theirs[name], value, rtol=0, atol=2e-5, msg=name)


def test_an_area_normalized_loss_is_the_same_in_parts(tiny_run):
    losses = {"hole": {"kind": "l1", "of": "raw", "weight": 1.0, "region": "hole", "normalize": "region"}}
    whole = tiny_run("whole", losses=losses, max_iterations=1, log_every=1)
    whole.fit()
    parts = tiny_run("parts", losses=losses, max_iterations=1, log_every=1, accumulate=4)
    parts.fit()

    def logged(run):
        head, row = (line.split(",") for line in run.folder.metrics.read_text().splitlines()[:2])
        return dict(zip(head, row, strict=True))

    for name in ("train/hole", "grad_norm/generator"):
        assert float(logged(parts)[name]) == pytest.approx(float(logged(whole)[name]), rel=1e-4)


def test_clipping_bounds_the_step_of_plain_gradient_descent(tiny_run):
    options = {"losses": RECONSTRUCTION, "max_iterations": 1, "optimizers": {"generator": {"kind": "sgd", "lr": 1.0}}}
    run = tiny_run("clipped", clip=0.01, **options)
    start = [parameter.detach().clone() for parameter in run.module.network.parameters()]
    run.fit()
    pairs = zip(run.module.network.parameters(), start, strict=True)
    moved = torch.sqrt(sum(((now - then) ** 2).sum() for now, then in pairs))
    assert moved.item() == pytest.approx(0.01, rel=1e-3)


def test_the_generator_step_leaves_no_gradient_in_the_discriminator(tiny_run):
    seen = []

    class Look(Callback):
        def on_before_optimizer_step(self, trainer, pl_module, optimizer):
            gradients = {role: [p.grad for p in n.parameters()] for role, n in pl_module.roles().items()}
            seen.append({role: sum(g is not None for g in found) for role, found in gradients.items()})

    run = tiny_run(max_iterations=1, callbacks=[Look()])
    run.fit()
    discriminator_step, generator_step = seen
    assert discriminator_step["generator"] == 0
    assert discriminator_step["discriminator"] > 0
    # What the discriminator's own step left stays, but the generator's adds nothing to it and no optimizer uses it.
    assert generator_step["generator"] > 0
    assert all(p.requires_grad for p in run.module.discriminators.parameters())


def test_the_optimizer_of_a_frozen_network_changes_nothing_before_its_start(tiny_run):
    optimizers = {"generator": {"lr": 1e-3, "start": 100}, "discriminator": {"lr": 1e-3}}
    run = tiny_run(max_iterations=2, optimizers=optimizers)
    start = {name: value.clone() for name, value in run.module.state_dict().items()}
    run.fit()
    moved = {name for name, value in run.module.state_dict().items() if not torch.equal(value, start[name])}
    assert any(name.startswith("discriminators.") for name in moved)
    assert not any(name.startswith("network.") for name in moved)


def test_a_loss_that_is_not_finite_stops_the_run_by_name_and_keeps_the_last_checkpoint(tiny_run):
    class Poison(Callback):
        def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
            if pl_module.iteration == 4:
                with torch.no_grad():
                    pl_module.network.generator.allconv17.weight.fill_(float("nan"))

    run = tiny_run(max_iterations=6, save_every=2, callbacks=[Poison()])
    with pytest.raises(RunError, match=r"loss 'adversary_d' is not finite in iteration 4 \(samples 16 to 19"):
        run.fit()
    assert read_checkpoint(run.folder.last)["iteration"] == 4
    assert all(value.isfinite().all() for value in run.state().values())


def test_training_in_bfloat16_stays_close_to_float32(tiny_run):
    exact, mixed = tiny_run("exact"), tiny_run("mixed", trainer={"precision": "bf16-mixed"})
    for run in (exact, mixed):
        run.fit()
    last = [float(run.folder.metrics.read_text().splitlines()[-1].split(",")[8]) for run in (exact, mixed)]
    assert all(parameter.dtype == torch.float32 for parameter in mixed.module.parameters())
    assert last[1] == pytest.approx(last[0], rel=0.1)


def test_channels_last_changes_the_layout_and_not_the_result(tiny_run):
    plain, last = (
        tiny_run("plain", max_iterations=2),
        tiny_run("last", max_iterations=2, trainer={"channels_last": True}),
    )
    for run in (plain, last):
        run.fit()
    weight = last.module.network.generator.conv2.weight
    assert weight.is_contiguous(memory_format=torch.channels_last)
    theirs = last.state()
    for name, value in plain.state().items():
        if "/network" in name and value.is_floating_point():
            torch.testing.assert_close(theirs[name], value, rtol=0, atol=1e-4, msg=name)


def test_a_finished_run_can_be_loaded_and_fills(tiny_run):
    run = tiny_run(max_iterations=3)
    run.fit()
    model = load(run.folder.path, device="cpu")
    sample = run.data.validation[0]
    fill = model.fill(sample["image"][None], sample["mask"][None])[0]
    expected = run.module.inpainter(run.module.averaged_network()).fill(sample["image"][None], sample["mask"][None])[0]
    torch.testing.assert_close(fill.raw, expected.raw, rtol=0, atol=1e-6)


def test_a_run_can_start_from_the_weights_of_another_and_its_discriminator(tiny_run, caplog):
    first = tiny_run("first", max_iterations=2)
    first.fit()
    second = tiny_run("second")
    load_initial(second.module, first.folder.path)
    assert "anew" not in caplog.text
    for name, value in first.module.discriminators.state_dict().items():
        assert torch.equal(second.module.discriminators.state_dict()[name], value)
    for name, value in first.module.averaged_network().state_dict().items():
        assert torch.equal(second.module.network.state_dict()[name], value)
        assert torch.equal(second.module.average.network.state_dict()[name], value)


def test_an_import_has_no_discriminator_to_start_from(tiny_run, tmp_path, caplog):
    first = tiny_run("first", max_iterations=1)
    first.fit()
    alone = shutil.copy(first.folder.weights, tmp_path / "model.safetensors")
    load_initial(tiny_run("second").module, alone)
    assert f"{alone} holds no discriminator: it starts anew" in caplog.text


def test_panels_are_thinned_out_and_tell_of_the_whole_run(tiny_run):
    run = tiny_run(max_iterations=12, validation={"every": 1, "panel": 1, "batch_size": 2, "keep_panels": 4})
    run.fit()
    kept = sorted(int(path.stem) for path in run.folder.panels.iterdir())
    assert len(kept) <= 4
    assert (kept[0], kept[-1]) == (1, 12)


def test_weights_of_another_architecture_are_refused(tiny_run, tmp_path):
    first = tiny_run("first", max_iterations=1)
    first.fit()
    second = tiny_run("second")
    second.module.network.generator.conv1 = second.module.network.generator.conv2
    with pytest.raises(WeightsError, match="conv1"):
        load_initial(second.module, first.folder.path)


def test_a_checkpoint_of_another_architecture_is_refused(tiny_run):
    first = tiny_run("first", max_iterations=1)
    first.fit()
    second = tiny_run("second", resume=first.folder.last)
    second.module.config = second.module.config.model_copy(update={"width": 16})
    with pytest.raises(RunError, match=r"other model options: model.width"):
        second.fit()


def test_a_checkpoint_that_carries_code_is_not_opened(tmp_path):
    class Evil:
        def __reduce__(self):
            return (os.system, (f"touch {tmp_path / 'ran'}",))

    torch.save({"format": Evil()}, tmp_path / "last.ckpt")
    with pytest.raises(WeightsError, match="holds code"):
        read_checkpoint(tmp_path / "last.ckpt")
    assert not (tmp_path / "ran").exists()


def test_an_optimizer_that_the_model_does_not_use_is_named(tiny_run):
    with pytest.raises(ConfigError, match="unknown optimizer 'critic'"):
        tiny_run(optimizers={"generator": {}, "discriminator": {}, "critic": {}})


def test_a_missing_optimizer_is_named(tiny_run):
    with pytest.raises(ConfigError, match=r"optimizers.discriminator is missing"):
        tiny_run(optimizers={"generator": {}})


def test_a_loss_of_an_unknown_discriminator_is_named(tiny_run):
    losses = {**RECONSTRUCTION, "adversary": {**ADVERSARY, "discriminator": "critic"}}
    with pytest.raises(ConfigError, match="unknown discriminator 'critic'"):
        tiny_run(losses=losses)


def test_changed_optimizer_options_hold_from_the_resumed_iteration_on(tiny_run):
    first = tiny_run("run", max_iterations=2)
    first.fit()
    optimizers = {"generator": {"lr": 1e-3, "betas": (0.9, 0.99), "eps": 1e-6}, "discriminator": {"lr": 1e-3}}
    second = tiny_run("run", max_iterations=3, resume=first.folder.last, optimizers=optimizers)
    second.fit()
    group = read_checkpoint(second.folder.last)["optimizers"]["generator"]["param_groups"][0]
    assert tuple(group["betas"]) == (0.9, 0.99)
    assert group["eps"] == 1e-6


def test_another_kind_of_optimizer_does_not_resume(tiny_run):
    first = tiny_run("run", max_iterations=1)
    first.fit()
    optimizers = {"generator": {"kind": "sgd"}, "discriminator": {}}
    second = tiny_run("run", max_iterations=2, resume=first.folder.last, optimizers=optimizers)
    with pytest.raises(RunError, match=r"generator=adam.*now configured: generator=sgd"):
        second.fit()


def test_an_adversary_that_the_run_did_not_have_does_not_resume(tiny_run):
    first = tiny_run("run", max_iterations=1, losses=RECONSTRUCTION)
    first.fit()
    second = tiny_run("run", max_iterations=2, resume=first.folder.last)
    with pytest.raises(RunError, match="now configured: generator=adam, discriminator=adam"):
        second.fit()


def test_an_optimizer_without_its_adversary_is_left_out(tiny_run):
    optimizers = {name: {"lr": 1e-3} for name in ("discriminator", "generator")}
    run = tiny_run(max_iterations=1, losses=RECONSTRUCTION, all_optimizers=optimizers)
    run.fit()
    assert read_checkpoint(run.folder.last)["optimizers"].keys() == {"generator"}


@pytest.mark.parametrize("stale", [False, True])
def test_weights_that_a_kill_left_missing_or_old_are_written_on_resume(tiny_run, stale):
    run = tiny_run("run", max_iterations=2, save_every=1)
    old = tiny_run("old", max_iterations=1)
    for each in (run, old):
        each.fit()
    expected, _ = load_weights(run.folder.weights)
    run.folder.weights.unlink()
    if stale:
        old.folder.weights.rename(run.folder.weights)
    tiny_run("run", max_iterations=2, resume=run.folder.last).fit()
    assert_same_state(load_weights(run.folder.weights)[0], expected)


def test_a_stretch_in_which_nothing_is_trained_is_logged_all_the_same(tiny_run):
    optimizers = {name: {"lr": 1e-3, "start": 5} for name in ("generator", "discriminator")}
    run = tiny_run(max_iterations=2, log_every=1, optimizers=optimizers)
    run.fit()
    assert "speed/images_per_s" in run.folder.metrics.read_text().splitlines()[0]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_same_signal_twice_within_a_blink_saves_all_the_same(tiny_run, number):
    class Launcher(Callback):
        def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
            for _ in range(2):
                os.kill(os.getpid(), number)

    before = signal.signal(number, signal.default_int_handler)  # under nohup hang-ups are ignored, tests too
    try:
        run = tiny_run(callbacks=[Launcher()])
        assert run.fit().interrupted_by == number
        assert run.folder.last.exists()
    finally:
        signal.signal(number, before)


def test_a_second_ctrl_c_of_a_user_ends_at_once(tiny_run, monkeypatch):
    monkeypatch.setattr(signals, "SAME_WISH_S", 0.0)

    class Impatient(Callback):
        def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
            for _ in range(2):
                os.kill(os.getpid(), signal.SIGINT)

    run = tiny_run(callbacks=[Impatient()])
    with pytest.raises(KeyboardInterrupt):
        run.fit()
    assert not run.folder.last.exists()


def test_torchrun_inside_a_slurm_job_is_left_to_torchrun(monkeypatch):
    for name in ("TORCHELASTIC_RUN_ID", "SLURM_NTASKS", "SLURM_JOB_NAME"):
        monkeypatch.delenv(name, raising=False)
    assert _plugins() == []
    monkeypatch.setenv("SLURM_NTASKS", "2")
    monkeypatch.setenv("SLURM_NTASKS_PER_NODE", "2")
    assert len(_plugins()) == 1
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    assert _plugins() == []


def test_a_checkpoint_of_another_model_is_refused(tiny_run):
    first = tiny_run("first", max_iterations=1)
    first.fit()
    second = tiny_run("second", resume=first.folder.last)
    second.module.name = "other"
    with pytest.raises(RunError, match="is a run of model 'deepfill', not of 'other'"):
        second.fit()
