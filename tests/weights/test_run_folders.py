from inpaint.weights.runs import runs_in


def test_runs_of_a_folder_come_in_the_order_of_the_sweep_and_others_are_none(tmp_path):
    for name in ("10-seed=9", "2-seed=1", "0-seed=0", "named"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "metrics.csv").write_text("iteration,a\n1,2\n")
    (tmp_path / "imported").mkdir()
    (tmp_path / "imported" / "model.safetensors").write_bytes(b"")
    (tmp_path / "notes").mkdir()
    (tmp_path / "metrics.csv").write_text("")
    assert [path.name for path in runs_in(tmp_path)] == ["0-seed=0", "2-seed=1", "10-seed=9", "imported", "named"]
