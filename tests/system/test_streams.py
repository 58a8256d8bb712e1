"""Printing goes on whatever standard output and error lead to, and says the truth about it afterwards."""

import errno
import io
import os
import sys
import threading

import pytest

from inpaint.system.streams import Outlet, standard_output, tolerant_streams


def printed(text: str, encoding: str) -> bytes:
    """Return the bytes that arrive where standard output has this encoding."""
    below = io.BytesIO()
    before = sys.stdout
    sys.stdout = io.TextIOWrapper(below, encoding=encoding)
    try:
        with tolerant_streams():
            print(text, end="")
        return below.getvalue()
    finally:
        sys.stdout = before


@pytest.mark.parametrize(
    ("text", "encoding", "expected"),
    [
        ("L1 ↓, PSNR ↑", "cp1252", b"L1 v, PSNR ^"),
        ("L1 ↓ 1 ± 2", "utf-8", "L1 ↓ 1 ± 2".encode()),
        ("a – b × c", "ascii", b"a - b x c"),
        ("写.png", "cp437", b"\\u5199.png"),
        ("é", "shift_jis", b"\\xe9"),
        ("a\udcff.png", "utf-8", b"a\xff.png"),  # a file name that is no text comes out as it is
        ("a\udcff\udcfe.png", "cp1252", b"a\xff\xfe.png"),
    ],
)
def test_every_name_and_table_can_be_printed_on_every_code_page(text, encoding, expected):
    assert printed(text, encoding) == expected


def test_names_that_differ_stay_apart_on_a_code_page_without_their_letters():
    assert len({printed(name, "cp1252") for name in ("写", "字", "画")}) == 3


class Failing(io.RawIOBase):
    """A raw stream whose writes fail from the second one on."""

    def __init__(self, number: int) -> None:
        self.number, self.written = number, b""

    def write(self, data):
        if self.written:
            raise OSError(self.number, os.strerror(self.number))
        self.written += bytes(data)
        return len(data)


@pytest.mark.parametrize(
    ("number", "lost"),
    [(errno.EPIPE, None), (errno.ENOSPC, "No space left on device"), (errno.EIO, "Input/output error")],
)
def test_what_cannot_be_written_is_dropped_and_only_a_gone_reader_loses_nothing(number, lost):
    below = Failing(number)
    outlet = Outlet(below)
    assert outlet.lost is None
    assert [outlet.write(part) for part in (b"one", b"two", b"three")] == [3, 3, 5]
    assert below.written == b"one"
    assert outlet.lost == lost
    with pytest.raises(OSError, match=os.strerror(number)):
        outlet.check()


def test_nothing_is_written_after_the_outlet_is_closed():
    below = io.BytesIO()
    with Outlet(below) as outlet:
        outlet.write(b"a")
    assert outlet.write(b"b") == 1
    assert below.getvalue() == b"a"


def test_a_stream_that_was_closed_below_takes_everything_too():
    below = io.BytesIO()
    outlet = Outlet(below)
    below.close()
    assert outlet.write(b"late") == 4
    assert outlet.lost is None


def test_a_pipe_that_does_not_block_gets_everything():
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    found = []
    with os.fdopen(reading, "rb") as reader, os.fdopen(writing, "wb", buffering=0) as writer:
        thread = threading.Thread(target=lambda: found.append(reader.read()))
        outlet, data = Outlet(writer), os.urandom(300_000)  # more than a pipe holds
        sent = outlet.write(data)
        thread.start()
        while sent < len(data):
            sent += outlet.write(data[sent:])
        writer.close()
        thread.join()
    assert found == [data]


def test_a_stream_that_is_no_file_is_left_alone(monkeypatch):
    notebook = io.StringIO()
    monkeypatch.setattr(sys, "stdout", notebook)
    with tolerant_streams():
        assert sys.stdout is notebook
        print("shown")
    assert notebook.getvalue() == "shown\n"


def test_a_stream_that_was_never_there_leads_nowhere(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    with tolerant_streams() as output:
        print("unseen")
        sys.stdout.flush()
    assert output.lost is None
    assert sys.stdout is None


def test_a_file_for_standard_output_is_sent_when_it_is_whole_and_not_at_all_before(monkeypatch):
    below = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(below))
    with standard_output(".png") as path:
        assert path.suffix == ".png"
        path.write_bytes(b"image")
        assert below.getvalue() == b""
    assert below.getvalue() == b"image"
    assert not path.exists()

    def interrupted():
        with standard_output(".png") as path:
            path.write_bytes(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert below.getvalue() == b"image"
