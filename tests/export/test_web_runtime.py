"""onnxruntime-web: where it is taken from, and what is refused."""

import io
import json
import stat
import tarfile

import pytest

from inpaint.errors import InpaintError, InputError
from inpaint.export import web_runtime
from inpaint.export.web_runtime import FILES, VERSION, find_runtime, integrity_of

# As `printf inpaint | openssl dgst -sha512 -binary | base64 -w0` prints it.
OPENSSL = "cRJXaUAwbQDT9rTuNHTrlHSZWFrYUH/bspTqQCh8wVzoEygh9IvwEPJJwPy2l/sGPD4IJ0/rxD0dh05iqkiuCg=="
CONTENT = {name: name.encode() * 3 for name in FILES}


def tarball(files, *, links=()):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(f"package/dist/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
        for name in links:
            member = tarfile.TarInfo(f"package/dist/{name}")
            member.type, member.linkname = tarfile.SYMTYPE, "/etc/hostname"
            archive.addfile(member)
    return buffer.getvalue()


def refusal(kind, *given):
    """Return the one line with which a place is refused."""
    with pytest.raises(kind) as caught:
        find_runtime(*given)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def pinned(monkeypatch):
    """A small tarball in the place of the pinned one."""
    content = tarball({**CONTENT, "ort.all.js": b"not needed"})
    monkeypatch.setattr(web_runtime, "INTEGRITY", integrity_of(content))
    return content


@pytest.fixture
def npm(tmp_path, monkeypatch):
    """`npm(script)` puts a program of that name in the place of npm, and returns the file of the arguments it got."""

    def install(script):
        folder = tmp_path / "programs"
        folder.mkdir()
        program = folder / "npm"
        program.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n{script}\n')
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
        return tmp_path / "asked"

    monkeypatch.setenv("INPAINT_HOME", str(tmp_path / "cache"))
    return install


def test_the_integrity_is_npm_s():
    assert integrity_of(b"inpaint") == "sha512-" + OPENSSL


@pytest.mark.parametrize("inner", ["", "dist", "package/dist", "node_modules/onnxruntime-web/dist"])
def test_a_folder_or_an_unpacked_package_will_do(tmp_path, inner):
    folder = tmp_path / inner
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in CONTENT.items():
        (folder / name).write_bytes(data)
    (folder.parent / "package.json").write_text(json.dumps({"version": "1.29.0"}))
    found = find_runtime(tmp_path)
    assert found.files == CONTENT
    assert found.version == "1.29.0"


def test_a_folder_that_lacks_a_file_is_refused_with_the_names_of_what_is_needed(tmp_path):
    (tmp_path / FILES[0]).write_bytes(b"x")
    said = refusal(InputError, tmp_path)
    assert all(name in said for name in FILES)


def test_the_pinned_tarball_is_read_and_another_one_is_refused(tmp_path, pinned):
    path = tmp_path / "onnxruntime-web.tgz"
    path.write_bytes(pinned)
    found = find_runtime(path)
    assert (found.version, found.files) == (VERSION, CONTENT)
    path.write_bytes(tarball({**CONTENT, FILES[0]: b"something else"}))
    assert "its integrity is sha512-" in refusal(InputError, path)


def test_a_link_in_a_tarball_is_not_followed(tmp_path, monkeypatch):
    content = tarball({FILES[0]: b"x"}, links=[FILES[1]])
    monkeypatch.setattr(web_runtime, "INTEGRITY", integrity_of(content))
    (tmp_path / "a.tgz").write_bytes(content)
    assert f"lacks {FILES[1]}" in refusal(InputError, tmp_path / "a.tgz")


def test_a_place_that_is_not_there_is_said(tmp_path):
    assert "No such file" in refusal(InputError, tmp_path / "nothing")


def test_npm_is_asked_once_for_the_pinned_version_and_never_runs_scripts(tmp_path, npm, pinned):
    (tmp_path / "it.tgz").write_bytes(pinned)
    asked = npm(f'for last; do :; done\ncp {tmp_path}/it.tgz "$last/onnxruntime-web-{VERSION}.tgz"')
    assert find_runtime().files == CONTENT
    assert find_runtime().files == CONTENT  # from the cache
    (line,) = asked.read_text().splitlines()
    assert line.startswith(f"pack onnxruntime-web@{VERSION} ")
    assert "--ignore-scripts" in line


def test_what_npm_brings_is_checked_and_not_kept_when_it_is_another_file(tmp_path, npm, pinned):
    (tmp_path / "it.tgz").write_bytes(tarball({**CONTENT, FILES[1]: b"tampered with"}))
    npm(f'for last; do :; done\ncp {tmp_path}/it.tgz "$last/onnxruntime-web-{VERSION}.tgz"')
    assert "its integrity is" in refusal(InputError)
    assert not list((tmp_path / "cache").rglob("*.tgz"))


def test_a_damaged_file_in_the_cache_is_fetched_anew(tmp_path, npm, pinned):
    (tmp_path / "it.tgz").write_bytes(pinned)
    npm(f'for last; do :; done\ncp {tmp_path}/it.tgz "$last/onnxruntime-web-{VERSION}.tgz"')
    find_runtime()
    (kept,) = (tmp_path / "cache").rglob("*.tgz")
    kept.write_bytes(pinned[:-10])
    assert find_runtime().files == CONTENT
    assert kept.read_bytes() == pinned


@pytest.mark.parametrize("script", ["echo 'npm error network is unreachable' >&2; exit 1", "exit 0"])
def test_without_npm_or_a_registry_one_line_says_what_to_place_where(tmp_path, npm, monkeypatch, script):
    npm(script)
    failed = refusal(InpaintError)
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    absent = refusal(InpaintError)
    for said in (failed, absent):
        assert "--runtime" in said
        assert all(name in said for name in FILES)
    assert ("network is unreachable" in failed) == ("network" in script)
    assert "npm error" not in failed
    assert "not installed" in absent
