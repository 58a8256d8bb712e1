"""Which network of a program a file holds: told by its entries, their shapes, its name, or the user."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from inpaint.errors import UsageError, WeightsError
from inpaint.registry import conversion
from inpaint.weights.formats import Format

BODY = frozenset({f"layer{number}.weight" for number in range(6)})
DISCRIMINATOR = frozenset({f"conv{number}.weight" for number in range(6)})


class Reached(Exception):  # noqa: N818 - carries what was found out of the import
    pass


def reach(found, switches):
    raise Reached({role: network.path.name for role, network in found.items()})


PROGRAM = Format(
    origin="program",
    title="the program",
    model="deepfill",
    license="MIT",
    source="here",
    networks={"body": BODY, "discriminator": DISCRIMINATOR, "large": DISCRIMINATOR, "discriminator_rec": DISCRIMINATOR},
    optional=frozenset({"discriminator", "large", "discriminator_rec"}),
    shapes={
        "discriminator": {"conv0.weight": (4, 3)},
        "discriminator_rec": {"conv0.weight": (4, 3)},
        "large": {"conv0.weight": (4, 9)},
    },
    file_names={"discriminator": "*_net_D.pth", "discriminator_rec": "*_net_D_rec.pth"},
    convert=reach,
)


@pytest.fixture
def found(tmp_path, monkeypatch):
    """`found("ROLE=NAME" or "NAME", ...)` imports files of that name and returns {role: name}."""
    monkeypatch.setattr(conversion, "ORIGINS", {"program": ("deepfill",)})
    monkeypatch.setattr(conversion, "formats", lambda: [PROGRAM])

    def go(*inputs: str):
        given = []
        for text in inputs:
            role, _, name = text.rpartition("=")
            names, width = (BODY, 3) if "net_G" in name else (DISCRIMINATOR, 9 if "large" in name else 3)
            if "other" in name:
                width = 5
            path = tmp_path / name
            torch.save({entry: torch.zeros(4, width) for entry in names}, path)
            given.append(f"{role}={path}" if role else str(path))
        with pytest.raises(Reached) as caught:
            conversion.import_weights("program", given, tmp_path / "out")
        return caught.value.args[0]

    return go


def test_entries_and_their_shapes_tell_the_role_whatever_the_file_is_called(found):
    assert found("x_net_G.pth", "large_net_D.pth") == {"body": "x_net_G.pth", "large": "large_net_D.pth"}


def test_the_name_of_the_file_tells_apart_what_looks_alike(found):
    names = ("latest_net_D_rec.pth", "latest_net_G.pth", "latest_net_D.pth")
    assert found(*names) == {"discriminator_rec": names[0], "body": names[1], "discriminator": names[2]}


def test_the_user_tells_apart_what_looks_alike_whatever_the_file_is_called(found):
    assert found("x_net_G.pth", "discriminator_rec=a.pth", "discriminator=b_net_D_rec.pth") == {
        "body": "x_net_G.pth",
        "discriminator_rec": "a.pth",
        "discriminator": "b_net_D_rec.pth",
    }


def test_optional_networks_may_be_left_out_and_others_not(found):
    assert found("net_G") == {"body": "net_G"}
    with pytest.raises(UsageError, match="consists of several files: give --input body=FILE as well"):
        found("x_net_D.pth")


def test_an_open_choice_is_put_to_the_user(found):
    with pytest.raises(
        UsageError, match=r"a\.pth may be the discriminator or the discriminator_rec of the program: say which, e\.g\. "
    ):
        found("x_net_G.pth", "a.pth")


@pytest.mark.parametrize(
    ("given", "part"),
    [
        ("discriminator=x_net_G.pth", "the file holds the body of the program, not the discriminator"),
        ("discriminator=large.pth", "the file holds the large of the program, not the discriminator"),
        ("large=a.pth", "the file holds the discriminator or the discriminator_rec of the program, not the large"),
    ],
)
def test_a_role_that_the_entries_contradict_is_refused(found, given, part):
    with pytest.raises(WeightsError, match=part):
        found(given)


def test_a_file_with_no_telling_shape_at_all_is_left_to_the_conversion_that_lists_what_does_not_fit(found):
    assert Path(found("net_G", "discriminator=other.pth")["discriminator"]).name == "other.pth"


def test_the_same_role_twice_is_refused(found):
    with pytest.raises(UsageError, match="both hold the discriminator of the program"):
        found("x_net_G.pth", "a_net_D.pth", "b_net_D.pth")


def test_an_average_is_taken_with_a_note_and_the_other_on_request(tmp_path, monkeypatch):
    monkeypatch.setattr(conversion, "ORIGINS", {"program": ("deepfill",)})
    monkeypatch.setattr(conversion, "formats", lambda: [PROGRAM])
    path = tmp_path / "a_net_G.pth"
    networks = {"model": 0.0, "model_ema": 1.0, "best": 2.0}
    torch.save({key: {name: torch.full((4, 3), value) for name in BODY} for key, value in networks.items()}, path)

    def taken(entry):
        _, found, notes = conversion._recognized("program", [str(path)], entry)
        return found["body"].place, notes

    place, (note,) = taken(None)
    assert place == "model_ema"
    assert note == (
        "a_net_G.pth holds this network 3 times: model_ema was taken, model and best not; --entry chooses another"
    )
    assert taken("best") == ("best", ())
    with pytest.raises(UsageError, match=r"--entry ema: .* holds the network as model, model_ema, best"):
        taken("ema")


def test_a_network_without_values_is_named(found, tmp_path):
    torch.save({name: torch.zeros(4, 3, device="meta") for name in BODY}, tmp_path / "x.pth")
    with pytest.raises(WeightsError, match=r"x.pth: layer\d.weight.* have a shape and no values .*save the checkpoint"):
        conversion.import_weights("program", [str(tmp_path / "x.pth")], tmp_path / "out")
