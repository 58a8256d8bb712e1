"""Lines that outlive a kill."""

import json

import pytest

from inpaint.errors import InpaintError
from inpaint.system.journal import JsonLines


def opened(folder, take=lambda number, line: None):
    return JsonLines(folder / "lines.jsonl", lock=folder / "lines.lock", take=take)


def read(folder):
    found = []
    with opened(folder, lambda number, line: found.append((number, line))):
        return found


def test_lines_come_back_and_one_cut_off_by_a_kill_is_removed(tmp_path):
    with opened(tmp_path) as lines:
        assert lines.is_new
        lines.write({"a": 1})
        lines.write({"b": "é"})
    path = tmp_path / "lines.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"c": ')
    assert read(tmp_path) == [(1, {"a": 1}), (2, {"b": "é"})]
    assert path.read_bytes() == whole
    assert [each.name for each in tmp_path.iterdir()] == ["lines.jsonl"]


def test_nothing_is_left_where_nothing_was_written(tmp_path):
    with opened(tmp_path / "new"):
        pass
    assert not (tmp_path / "new").exists()


def test_damage_is_told_with_its_line_and_the_folder_is_free_again(tmp_path):
    path = tmp_path / "lines.jsonl"
    path.write_text('{"a": 1}\nno json\n{"a": 3}\n')
    with pytest.raises(InpaintError, match=r"lines\.jsonl' is damaged at line 2 .*; mend or remove it"):
        opened(tmp_path)

    def refuse(number, line):
        raise KeyError("b")

    path.write_text(json.dumps({"a": 1}) + "\n")
    with pytest.raises(InpaintError, match="damaged at line 1"):
        opened(tmp_path, refuse)
    with opened(tmp_path) as lines:
        assert not lines.is_new


def test_a_folder_belongs_to_one_process_at_a_time(tmp_path):
    with opened(tmp_path), pytest.raises(InpaintError, match="is in use by process"):
        opened(tmp_path)
