"""Files fetched from a server on this machine, which behaves in every way that servers do."""

import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from file_server import file_server
from inpaint.errors import WriteError
from inpaint.system import downloads
from inpaint.system.downloads import TRIES, DownloadError, check_address, download

CONTENT = bytes(range(256)) * 4000  # 1.024 MB: several chunks


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    with file_server() as running:
        running.files["weights.pt"] = CONTENT
        yield running


def fetch(server, path, *, name="weights.pt", most_bytes=None, **options):
    pauses = []
    download(server.url(name), path, most_bytes=most_bytes or len(CONTENT), sleep=pauses.append, **options)
    return pauses


def refused(server, path, **options):
    with pytest.raises(DownloadError) as caught:
        fetch(server, path, **options)
    return str(caught.value)


def test_a_file_arrives_whole_and_its_progress_is_reported(server, tmp_path):
    seen = []
    assert fetch(server, tmp_path / "w", report=lambda *step: seen.append(step)) == []
    assert (tmp_path / "w").read_bytes() == CONTENT
    assert seen[0] == (0, len(CONTENT))
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert server.asked == [("weights.pt", "")]


def test_a_file_without_an_announced_length_arrives_whole(server, tmp_path):
    server.announced = ""
    fetch(server, tmp_path / "w")
    assert (tmp_path / "w").read_bytes() == CONTENT


def test_a_broken_connection_goes_on_where_it_broke_off(server, tmp_path, caplog):
    server.cuts = [300_000, 200_000]
    assert fetch(server, tmp_path / "w", size_bytes=len(CONTENT)) == [1, 2]
    assert (tmp_path / "w").read_bytes() == CONTENT
    assert [wanted for _, wanted in server.asked] == ["", "bytes=300000-", "bytes=500000-"]
    assert "the connection was closed too early; 0 of 1 MB are here" in caplog.text
    assert "left, trying again in 1 s (2 of 6)" in caplog.text


def test_what_an_earlier_call_left_is_not_fetched_again(server, tmp_path):
    (tmp_path / "w").write_bytes(CONTENT[:700_000])
    fetch(server, tmp_path / "w")
    assert (tmp_path / "w").read_bytes() == CONTENT
    assert server.asked == [("weights.pt", "bytes=700000-")]


def test_a_whole_file_is_not_asked_for(server, tmp_path):
    (tmp_path / "w").write_bytes(CONTENT)
    fetch(server, tmp_path / "w", size_bytes=len(CONTENT))
    assert server.asked == []


def test_a_server_that_sends_no_parts_begins_anew(server, tmp_path):
    server.ranges = False
    server.cuts = [300_000]
    fetch(server, tmp_path / "w")
    assert (tmp_path / "w").read_bytes() == CONTENT
    assert len(server.asked) == 2


def test_a_beginning_that_is_longer_than_the_file_is_thrown_away(server, tmp_path):
    (tmp_path / "w").write_bytes(CONTENT + b"more")
    fetch(server, tmp_path / "w", most_bytes=2 * len(CONTENT))
    assert (tmp_path / "w").read_bytes() == CONTENT
    assert [wanted for _, wanted in server.asked] == [f"bytes={len(CONTENT) + 4}-", ""]


def test_a_connection_that_breaks_forever_is_given_up_and_what_arrived_stays(server, tmp_path):
    server.cuts = [1000] * TRIES
    assert refused(server, tmp_path / "w") == "the connection was closed too early"
    assert (tmp_path / "w").read_bytes() == CONTENT[: 1000 * TRIES]
    assert len(server.asked) == TRIES


def test_a_busy_server_is_asked_again_after_the_time_it_names(server, tmp_path):
    server.statuses = [(503, {}), (429, {"Retry-After": "7"}), (503, {"Retry-After": "3600"})]
    assert fetch(server, tmp_path / "w") == [1, 7, downloads.LONGEST_PAUSE_S]
    assert (tmp_path / "w").read_bytes() == CONTENT


def test_an_answer_that_will_not_change_is_final(server, tmp_path):
    assert refused(server, tmp_path / "w", name="nowhere") == "the server answers 404 Not Found"
    assert len(server.asked) == 1
    assert not (tmp_path / "w").exists()


def test_a_server_that_never_answers_is_asked_once(tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    with file_server() as gone:
        pass
    assert "refused" in refused(gone, tmp_path / "w").lower()


# Redirections ---------------------------------------------------------------------------------------------------------


def test_a_redirection_is_followed_also_where_a_part_is_asked_for(server, tmp_path):
    server.redirects = {"old": server.url("middle"), "middle": "/weights.pt"}
    (tmp_path / "w").write_bytes(CONTENT[:5000])
    fetch(server, tmp_path / "w", name="old")
    assert (tmp_path / "w").read_bytes() == CONTENT
    assert server.asked[-1] == ("weights.pt", "bytes=5000-")


def test_a_circle_of_redirections_ends(server, tmp_path):
    server.redirects = {"a": server.url("b"), "b": server.url("a")}
    assert refused(server, tmp_path / "w", name="a") == "it is redirected more than 5 times"
    assert len(server.asked) == 6


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("http://[127.0.0.1/weights.pt", "it is redirected to what is no address"),
        ("file:///etc/hostname", "it is redirected to another scheme, file://"),
        ("ftp://127.0.0.1/weights.pt", "it is redirected to another scheme, ftp://127.0.0.1"),
        ("https://127.0.0.1/weights.pt", "it is redirected to another scheme, https://127.0.0.1"),
        ("http://example.org/weights.pt", "only https:// is fetched, not http://example.org"),
    ],
)
def test_a_redirection_stays_within_its_scheme_and_http_on_this_machine(server, tmp_path, target, message):
    server.redirects = {"old": target}
    assert refused(server, tmp_path / "w", name="old").startswith(message)
    assert not (tmp_path / "w").exists()


@pytest.mark.parametrize("url", ["http://example.org/w", "file:///w", "ftp://example.org/w", "https:///w", "w", ""])
def test_only_https_is_fetched_apart_from_this_machine(url, tmp_path):
    with pytest.raises(DownloadError, match="only https:// is fetched, not "):
        download(url, tmp_path / "w", most_bytes=10)


def test_https_and_this_machine_are_fetched():
    for url in ("https://example.org/w", "http://localhost:8000/w", "http://[::1]/w"):
        check_address(url)
    with pytest.raises(DownloadError, match="another scheme, http://localhost"):
        check_address("http://localhost/w", redirected_from="https://example.org/w")


# Sizes and space ------------------------------------------------------------------------------------------------------


def test_a_file_announced_too_large_is_refused_before_a_byte_of_it(server, tmp_path):
    said = refused(server, tmp_path / "w", most_bytes=1000)
    assert said == "the server announces 1,024,000 bytes, at most 1,000 are taken"
    assert not (tmp_path / "w").exists()


def test_a_file_announced_with_another_size_is_refused(server, tmp_path):
    said = refused(server, tmp_path / "w", size_bytes=len(CONTENT) - 1)
    assert said == "the server announces 1,024,000 bytes, the file has 1,023,999"


def test_a_file_that_turns_out_too_large_is_cut_off_and_removed(server, tmp_path):
    server.announced = ""
    assert (
        refused(server, tmp_path / "w", most_bytes=500_000) == "it is larger than 500,000 bytes, and was cut off there"
    )
    assert not (tmp_path / "w").exists()


def test_a_file_that_ends_before_its_size_is_not_taken(server, tmp_path):
    server.announced = ""
    said = refused(server, tmp_path / "w", size_bytes=len(CONTENT) + 1, most_bytes=2 * len(CONTENT))
    assert said in ("the connection was closed too early", "the server has no more than is here")


def test_too_little_space_is_said_before_a_byte_is_fetched(server, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(10**9, 10**9 - 10**6, 10**6))
    with pytest.raises(WriteError, match=r"3 MB are needed there, 1 MB are free"):
        fetch(server, tmp_path / "w", beside_bytes=2 * 10**6)
    assert not (tmp_path / "w").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_disk_that_fills_up_meanwhile_is_said_and_nothing_is_left(server, tmp_path):
    (tmp_path / "w").symlink_to("/dev/full")
    with pytest.raises(WriteError, match="No space left on device"):
        fetch(server, tmp_path / "w")
    assert not (tmp_path / "w").is_symlink()


# Proxies --------------------------------------------------------------------------------------------------------------


def test_a_proxy_of_the_environment_is_asked(server, tmp_path, monkeypatch):
    for name in ("no_proxy", "NO_PROXY", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", server.address)
    server.files["http://localhost:9/weights.pt"] = CONTENT
    download("http://localhost:9/weights.pt", tmp_path / "w", most_bytes=len(CONTENT))
    assert server.asked == [("http://localhost:9/weights.pt", "")]
