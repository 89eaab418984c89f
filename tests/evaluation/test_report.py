from __future__ import annotations

import shutil

import pytest

import tlkit
from tlkit.errors import RunError
from tlkit.evaluation.report import read_errors


def write(directory, split, *rows):
    folder = directory / "evaluation" / split
    folder.mkdir(parents=True)
    lines = ["id,path,label,predicted,probability,p_cat", *rows]
    (folder / "predictions.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_errors_of_all_evaluations(tmp_path):
    write(tmp_path, "val", "1,a.jpg,cat,dog,0.7,0.3", "2,b.jpg,cat,cat,0.9,0.9")
    write(tmp_path, "test", '3,"c,d.jpg",dog,cat,0.8,0.8', "4,a.jpg,dog,cat,0.6,0.6")
    assert read_errors(tmp_path) == ["c,d.jpg", "a.jpg"]


def test_no_evaluation(tmp_path):
    with pytest.raises(RunError, match="tlkit evaluate"):
        read_errors(tmp_path)


def test_a_table_that_was_changed(tmp_path):
    write(tmp_path, "val", "1,a.jpg,cat,dog,often,0.3")
    with pytest.raises(RunError, match="not as it was written"):
        read_errors(tmp_path)


def test_an_annotation_folder_of_errors(finished, tmp_path):
    run = shutil.copytree(finished.directory, tmp_path / "run")
    shutil.rmtree(run / "evaluation")
    example = finished.manifest().examples[0]
    write(run, "val", f"{example.id},{example.path},{example.label},other,0.7,0.3")
    data = finished.config.data
    made = tlkit.annotate(data, tmp_path / "work", select="errors", run=run)
    assert made.images == 1
    assert example.path in (made.directory / "annotate.json").read_text(
        encoding="utf-8"
    )
