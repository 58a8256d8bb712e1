"""The list of jobs on a cluster: machines may be lost, and the files are the same."""

import logging
import os
import shutil
import sys
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from blind import write_weights
from fake_ray import FakeRay
from inpaint.errors import InpaintError, MissingDependencyError, UsageError
from inpaint.pipeline import JobOptions, Marks, marks_of, plan_jobs, run_jobs
from inpaint.pipeline.on_ray import IN_FLIGHT, RETRIES, on_ray
from inpaint.pipeline.parcels import delivered, packed, worked_off
from inpaint.pipeline.workers import Task, Worker, run_spread
from inpaint.registry.loadable import Loadable
from inpaint.registry.table import config_class, network_class
from inpaint.weights.files import WeightsMetadata, save_weights
from spreading import Slow

MANY = 10
MEAN = Loadable(spec="mean")


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@contextmanager
def two_nodes():
    """Two nodes of one core each on this machine; yields the cluster and the second node."""
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    quick = {"RAY_health_check_period_ms": "500", "RAY_USAGE_STATS_ENABLED": "0"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"PYTHONPATH": os.pathsep.join(sys.path), **quick}.items():
            patch.setenv(name, value)
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
        try:
            second = cluster.add_node(num_cpus=1)
            ray.init(address=cluster.address, logging_level=logging.ERROR, log_to_driver=False)
            yield cluster, second
        finally:
            ray.shutdown()
            cluster.shutdown()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of Ray's own
def test_a_node_that_is_killed_in_the_middle_changes_no_byte(folders, make_photo):
    for number in range(MANY):
        Image.fromarray(make_photo(40, 56, number)).save(folders / f"photos/{number}.png")
    (folders / "photos/3.png").write_text("text")

    def planned(output):
        return plan_jobs(folders / "photos", folders / "masks/a.png", folders / output)

    model = Slow(spec="slowly")
    direct = list(run_jobs(planned("one"), model.load("cpu"), JobOptions()))
    with two_nodes() as (cluster, second):
        outcomes = []
        for outcome in run_spread(planned("two"), model, JobOptions(), on_ray()):
            outcomes.append(outcome)
            if len(outcomes) == 3:
                cluster.remove_node(second, allow_graceful=False)
        assert [(each.job.image, each.status, each.reason) for each in outcomes] == [
            (each.job.image, each.status, each.reason) for each in direct
        ]
        assert files(folders / "one") == files(folders / "two")
        assert len(outcomes) == MANY + 3


@pytest.fixture
def spread(folders, monkeypatch):
    """Fills three photos on a pretended cluster and returns what became of them."""
    workers = folders / "workers"

    def run(ray, model=MEAN, marks=None, **options):
        monkeypatch.setitem(sys.modules, "ray", ray)
        monkeypatch.setattr("tempfile.tempdir", str(workers))
        workers.mkdir(exist_ok=True)
        for each in workers.iterdir():
            shutil.rmtree(each)
        jobs = plan_jobs(folders / "photos", folders / "masks", folders / "two")
        outcomes = list(run_spread(jobs, model, JobOptions(marks=marks or Marks()), on_ray(**options)))
        assert [each.job for each in outcomes] == jobs
        assert len([*workers.iterdir()]) == sum(each.was_lost for each in ray.actors)
        return outcomes

    return run


def test_jobs_of_lost_workers_are_done_by_others_with_few_on_their_way(spread, folders):
    ray = FakeRay(2, loses=lambda actor, parcel: actor == 1)
    assert [each.status for each in spread(ray)] == ["filled"] * 3
    assert len(ray.actors) == 3  # the second one has a successor
    assert ray.most <= 2 * IN_FLIGHT
    expected = plan_jobs(folders / "photos", folders / "masks", folders / "direct")
    list(run_jobs(expected, MEAN.load("cpu"), JobOptions(), at_once=1))
    assert files(folders / "two") == files(folders / "direct")


def test_a_photo_that_ends_every_worker_fails_and_the_others_do_not(spread):
    ray = FakeRay(1, loses=lambda actor, parcel: parcel.job.image.name == "a.jpg")
    outcomes = spread(ray)
    assert [each.status for each in outcomes] == ["failed", "filled", "filled"]
    assert outcomes[0].reason.endswith(
        f"a.jpg: {RETRIES + 1} workers were lost while they were at it; perhaps memory ran out"
    )


def test_there_are_as_many_workers_as_the_cluster_has_room_for_and_are_wanted(spread):
    for cores, options, expected in ((8, {}, 3), (2, {}, 2), (8, {"workers": 1}, 1)):
        ray = FakeRay(cores)
        spread(ray, **options)
        assert len(ray.actors) == expected
        assert all(actor.lost for actor in ray.actors)  # given back


def test_a_model_that_workers_cannot_load_ends_the_work_with_its_error(spread):
    with pytest.raises(UsageError, match="unknown option of telea"):
        spread(FakeRay(2), Loadable(spec="telea", options={"radios": 3}))


def test_weights_travel_to_the_workers(spread, folders, monkeypatch):
    network = network_class("pconv")(config_class("pconv")(levels=3, width=4))
    about = WeightsMetadata(model="pconv", config={"levels": 3, "width": 4}, roles=("generator",))
    (folders / "run").mkdir()
    save_weights(folders / "run/model.safetensors", network.state_dict(), about)
    gone = []

    def forget(actor, parcel):
        gone.extend(path.unlink() for path in (folders / "run").glob("*"))
        return False

    assert [each.status for each in spread(FakeRay(1, loses=forget), Loadable(spec=str(folders / "run")))] == [
        "filled"
    ] * 3
    assert len(gone) == 1


def test_the_weights_of_a_model_that_finds_holes_travel_as_well(spread, folders, monkeypatch):
    run = write_weights(monkeypatch, folders / "run")

    class Forgetful(FakeRay):
        def put(self, value):
            if isinstance(value, list):
                (run / "model.safetensors").unlink()
            return super().put(value)

    outcomes = spread(Forgetful(2), marks=marks_of(mask_from=run))
    assert [each.status for each in outcomes] == ["filled"] * 3


def test_what_cannot_be_is_refused(monkeypatch):
    with pytest.raises(UsageError, match="device cuda:1: on a cluster auto, cpu or cuda are valid"):
        on_ray(device="cuda:1")
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(
        MissingDependencyError, match=r"--ray\) needs the package ray: pip install 'pytorch-inpaint\[ray\]'"
    ):
        on_ray()


@pytest.mark.parametrize("samples", [1, 2])
def test_a_parcel_comes_back_as_the_files_of_its_job_with_their_names_in_every_message(folders, tmp_path, samples):
    Image.fromarray(np.asarray(Image.open(folders / "masks/b.png"))[::2, ::2]).save(folders / "masks/b.png")
    (folders / "photos/b.png").chmod(0o640)

    def planned(output):
        places = {name: folders / output / name for name in ("save_mask", "preview")}
        return plan_jobs(folders / "photos", folders / "masks", folders / output / "fills", samples=samples, **places)

    task = Task(Loadable(spec="mean"), JobOptions(), planned("two"))
    worker, place = Worker(task, "cpu"), tmp_path / "elsewhere"
    place.mkdir()
    told = [delivered(worked_off(packed(number, job), worker, place)) for number, job in enumerate(task.jobs)]
    assert not any(place.iterdir())
    statuses = [each.status for each in run_jobs(planned("one"), worker._inpainter, JobOptions(), at_once=1)]
    assert [each.outcome.status for each in told] == statuses == ["filled"] * 3
    assert [each.outcome.job for each in told] == task.jobs
    assert files(folders / "one") == files(folders / "two")
    assert len(files(folders / "one")) == 3 * (3 if samples == 1 else 5)
    said = [f"{remark.name}: {remark.words}{remark.of_mask or ''}" for each in told for remark in each.remarks]
    assert any(f"{folders}/photos/b.png: {folders}/masks/b.png: the mask has 28 x 20 pixels" in line for line in said)
    assert not any(str(place) in line for line in said)
    if samples == 1:
        assert (folders / "two/fills/b.png").stat().st_mode & 0o777 == 0o640


def test_what_cannot_be_read_or_written_is_told_by_its_own_name(folders):
    jobs = plan_jobs(folders / "photos", folders / "masks", folders / "out")
    jobs[0].image.unlink()
    with pytest.raises(InpaintError, match=r"cannot read '.*photos/a\.jpg': No such file"):
        packed(0, jobs[0])
    (folders / "out").write_text("in the way")
    with pytest.raises(InpaintError, match="cannot write into"):
        packed(1, replace(jobs[1]))
