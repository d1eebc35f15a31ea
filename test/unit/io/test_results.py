from __future__ import annotations

import json
import pickle
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smplerx_ros.errors import InputError
from smplerx_ros.geometry.boxes import Box
from smplerx_ros.io.results import FrameResult, count_people, read_people, write_people, write_summary
from smplerx_ros.types import PARAM_SIZES, Estimated, Person, SmplxParams


def person(person_id, seed):
    rng = np.random.default_rng(seed)
    values = {name: rng.normal(size=size).astype(np.float32) for name, size in PARAM_SIZES.items()}
    values["leye_pose"] = np.full(3, np.nan, np.float32)
    params = SmplxParams(**values, estimated=Estimated.GLOBAL_ORIENT | Estimated.TRANSL)
    joints, joints_image = rng.normal(size=(55, 3)), rng.normal(size=(55, 2))
    return Person(person_id, 0.75, Box(1, 2, 30, 40), params, joints, joints_image, rng.uniform(size=55))


@pytest.fixture
def results():
    k = np.diag([500.0, 500, 1])
    one, two = person("p1", 1), person("p2", 2)
    return [FrameResult(0, 10, (one, two), k), FrameResult(3, 40, (), k), FrameResult(4, 50, (two,), 2 * k)]


def test_rows_are_persons_and_come_back_as_they_were(results, tmp_path):
    write_people(tmp_path / "people.npz", results)
    rows = read_people(tmp_path / "people.npz")
    assert {len(array) for array in rows.values()} == {3}
    assert rows["id"].tolist() == ["p1", "p2", "p2"]
    assert rows["frame"].tolist() == [0, 0, 4]
    assert rows["stamp_ns"].tolist() == [10, 10, 50]
    assert rows["joints"].shape == (3, 55, 3)
    assert rows["joints_image"].shape == (3, 55, 2)
    np.testing.assert_array_equal(rows["K"], np.stack([results[0].k, results[0].k, results[2].k]))
    for row, expected in enumerate([*results[0].people, *results[2].people]):
        for name in PARAM_SIZES:
            np.testing.assert_array_equal(rows[name][row], getattr(expected.params, name), err_msg=name)
        np.testing.assert_array_equal(rows["joints"][row], expected.joints.astype(np.float32))
        assert rows["estimated"][row] == 513
        assert rows["box"][row].tolist() == [1, 2, 30, 40]


def test_nobody_gives_empty_arrays_of_the_right_shape(tmp_path):
    write_people(tmp_path / "people.npz", [FrameResult(0, 0, (), np.eye(3))])
    rows = read_people(tmp_path / "people.npz")
    assert rows["joints"].shape == (0, 55, 3)
    assert rows["body_pose"].shape == (0, 63)


def test_a_file_of_another_kind_is_refused_in_words_that_help(results, tmp_path):
    (tmp_path / "text.npz").write_text("no")
    (tmp_path / "pickle.npz").write_bytes(pickle.dumps({"frame": 1}))
    (tmp_path / "folder.npz").mkdir()
    np.savez(tmp_path / "other.npz", a=1)
    np.savez(tmp_path / "objects.npz", frame=np.array([{}], object))
    with (tmp_path / "array.npz").open("wb") as file:
        np.save(file, np.zeros(3))
    write_people(tmp_path / "short.npz", results)
    rows = read_people(tmp_path / "short.npz")
    np.savez(tmp_path / "short.npz", **(rows | {"joints": rows["joints"][:1]}))
    for name, words in {
        "text.npz": "neither a NumPy archive nor an array",
        "pickle.npz": "neither a NumPy archive nor an array",
        "array.npz": "a single array",
        "objects.npz": "pickled objects, which are never loaded",
        "other.npz": "it lacks",
        "short.npz": "different lengths",
        "missing.npz": "no such file",
        "folder.npz": "a folder, expected a file",
    }.items():
        with pytest.raises(InputError, match=rf"{name}: .*{words}") as caught:
            read_people(tmp_path / name)
        assert "allow_pickle" not in str(caught.value)


@given(st.data())
def test_a_damaged_file_is_refused_by_name(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "people.npz"
    write_people(path, [FrameResult(0, 10, (person("p1", 1),), np.eye(3))])
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)) | st.just(len(content)))])
    message = ""
    try:
        rows = read_people(path)
    except InputError as error:
        message = str(error)
    assert str(path) in message if message else len({len(array) for array in rows.values()}) == 1
    assert message == "" or message.isprintable()


def test_counts_are_per_processed_frame(results):
    assert count_people(results) == {"frames_processed": 3, "people": [2, 0, 1], "ids": ["p1", "p2"]}


def test_summary_is_strict_json(results, tmp_path):
    write_summary(tmp_path / "s.json", {"fps": float("nan"), "latency_ms": {"p50": float("inf")}, "people": [1, 2]})

    def refuse(constant):
        raise AssertionError(constant)

    read = json.loads((tmp_path / "s.json").read_text(), parse_constant=refuse)
    assert read == {"fps": None, "latency_ms": {"p50": None}, "people": [1, 2]}


def test_a_failed_write_leaves_the_old_file(results, tmp_path):
    path = tmp_path / "people.npz"
    write_people(path, results)
    before = path.read_bytes()
    broken = replace(results[0].people[0], joints=np.zeros((3, 3)))
    with pytest.raises(ValueError, match="reshape"):
        write_people(path, [FrameResult(0, 0, (broken,), np.eye(3))])
    assert path.read_bytes() == before
