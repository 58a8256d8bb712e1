"""A list of jobs spread over workers: the same files, outcomes and words as without."""

import pytest
from PIL import Image

import inpaint
from inpaint.pipeline import JobOptions, RunJournal, plan_jobs, run_jobs
from inpaint.pipeline.workers import Worker, on_devices, run_spread
from inpaint.registry.loadable import Loadable
from inpaint.registry.table import config_class, network_class
from inpaint.weights.files import WeightsMetadata, save_weights
from lively import enlivened
from spreading import Deadly

TELEA = Loadable(spec="telea")


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def backwards(task, numbers):
    """An engine of two workers in this process that answers from the last to the first."""
    workers = [Worker(task, "cpu"), Worker(task, "cpu")]
    for number in reversed(numbers):
        yield workers[number % 2].work(number)


@pytest.fixture
def planned(folders):
    """Five photos, one of them damaged, and masks that have something to be said of."""
    for name in ("d", "e"):
        (folders / f"photos/{name}.png").write_bytes((folders / "photos/b.png").read_bytes())
    (folders / "photos/b.png").write_text("text")
    for name, size in {"a": (28, 20), "d": (56, 40), "e": (28, 20)}.items():
        Image.linear_gradient("L").resize(size).save(folders / f"masks/{name}.png")
    return lambda output: plan_jobs(folders / "photos", folders / "masks", folders / output)


def test_outcomes_and_words_come_in_the_order_of_the_list_whatever_the_order_of_the_work(folders, planned, caplog):
    direct = list(run_jobs(planned("one"), inpaint.load("telea"), JobOptions(), at_once=1))
    expected = [record.getMessage() for record in caplog.records]
    caplog.clear()
    spread = list(run_spread(planned("two"), TELEA, JobOptions(), backwards))
    said = [record.getMessage() for record in caplog.records]
    assert sorted(said) == sorted(expected)  # where photos are read ahead, nothing keeps the words in order
    assert [words.partition(": ")[0].rpartition("/")[2] for words in said] == ["a.png", "a.jpg", "e.png"]
    assert [outcome.status for outcome in spread] == ["filled", "failed", "filled", "filled", "filled"]
    assert [(each.job.image, each.status, each.reason) for each in spread] == [
        (each.job.image, each.status, each.reason) for each in direct
    ]
    assert files(folders / "one") == files(folders / "two")


def test_what_is_done_is_noted_at_once_and_left_alone_the_next_time(folders, planned):
    def leave(task, numbers):
        yield from list(backwards(task, numbers))[:2]
        raise KeyboardInterrupt

    def run(engine):
        with RunJournal(folders / "out", asked="", resume=True) as journal:
            return [each.status for each in run_spread(planned("out"), TELEA, JobOptions(), engine, journal=journal)]

    with pytest.raises(KeyboardInterrupt):
        run(leave)  # the last two of the list are there, and no outcome could be told yet
    assert sorted(run(backwards)) == ["failed", "filled", "filled", "skipped", "skipped"]


@pytest.mark.slow
def test_two_processes_write_the_same_bytes_as_one(folders, planned):
    network = enlivened(network_class("pconv")(config_class("pconv")(levels=3, width=4)))
    about = WeightsMetadata(model="pconv", config={"levels": 3, "width": 4}, roles=("generator",))
    save_weights(folders / "model.safetensors", network.state_dict(), about)
    model = Loadable(spec=str(folders / "model.safetensors"))
    statuses = [each.status for each in run_jobs(planned("one"), model.load("cpu"), JobOptions())]
    spread = run_spread(planned("two"), model, JobOptions(), on_devices(["cpu", "cpu"]))
    assert [each.status for each in spread] == statuses == ["filled", "failed", "filled", "filled", "filled"]
    assert files(folders / "one") == files(folders / "two")


@pytest.mark.slow
def test_a_process_that_dies_costs_the_photo_that_it_was_at(folders):
    Image.new("RGB", (56, 40)).save(folders / "photos/b.png")
    jobs = plan_jobs(folders / "photos", folders / "masks", folders / "out")
    outcomes = list(run_spread(jobs, Deadly(spec="mortal"), JobOptions(), on_devices(["cpu"])))
    assert [each.status for each in outcomes] == ["filled", "failed", "filled"]
    assert "b.png: a process ended before its work was done (SIGKILL" in outcomes[1].reason
