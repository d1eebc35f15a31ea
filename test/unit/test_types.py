"""Parameters say which of them were observed, as messages and files can hold it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from smplerx_ros.errors import InputError
from smplerx_ros.geometry.boxes import Box
from smplerx_ros.geometry.camera import Camera
from smplerx_ros.io.results import FrameResult, read_people, write_people
from smplerx_ros.types import Estimated, Frame, Person, SmplxParams

ALL = 1023  # SmplxParams.msg
EYES = Estimated.LEYE_POSE | Estimated.REYE_POSE


@pytest.mark.parametrize("estimated", [~EYES, Estimated(-97), Estimated(-97 & 0xFFFF)])
def test_complements_of_flags_are_positive(estimated: Estimated, tmp_path: Path) -> None:
    params = replace(SmplxParams.rest(), estimated=estimated)
    assert int(params.estimated) == ALL - 32 - 64
    person = Person("p1", 0.9, Box(0, 0, 1, 1), params, np.zeros((55, 3)), np.zeros((55, 2)), np.ones(55))
    write_people(tmp_path / "people.npz", [FrameResult(0, 0, (person,), np.eye(3))])
    assert read_people(tmp_path / "people.npz")["estimated"].tolist() == [ALL - 32 - 64]


def test_a_batch_keeps_what_all_have() -> None:
    people = [
        replace(SmplxParams.rest(), estimated=flags)
        for flags in (~EYES, Estimated.TRANSL | Estimated.JAW_POSE | Estimated.LEYE_POSE)
    ]
    batch = SmplxParams.stack(people)
    assert batch.estimated == Estimated.TRANSL | Estimated.JAW_POSE
    assert int(SmplxParams.stack(people[:1]).estimated) == ALL - 32 - 64


IMAGE, BOX = np.zeros((120, 160, 3), np.uint8), Box(10, 10, 50, 90)


@pytest.mark.parametrize(
    ("field", "value", "got"),
    [
        ("stamp_ns", float("nan"), "nan (float)"),
        ("stamp_ns", None, "None (NoneType)"),
        ("stamp_ns", 1e9, "1000000000.0 (float)"),
        ("stamp_ns", "1", "'1' (str)"),
        ("stamp_ns", True, "bool"),
        ("stamp_ns", 2**70, "int"),
        pytest.param("stamp_ns", 10**5000, "int", id="more digits than Python prints"),
        ("stamp_ns", np.float64(5), "(float64)"),
        ("detections", [(10, 10, 50, 90)], "detections[0] must be a Box, got tuple"),
        ("detections", (BOX, None), "detections[1] must be a Box, got NoneType"),
        ("detections", np.zeros((2, 5)), "got ndarray"),
        ("detections", BOX, "got Box"),
        ("detections", "none", "got str"),
        ("camera", np.eye(3), "must be a Camera or None, got ndarray"),
        ("camera", "front", "got str"),
        ("frame_id", None, "must be a string, got NoneType"),
        ("frame_id", 3, "got int"),
        ("frame_id", b"camera", "got bytes"),
        ("source", 3, "got int"),
    ],
)
def test_a_frame_names_the_field_that_cannot_be_used(field: str, value: Any, got: str) -> None:
    with pytest.raises(InputError) as error:
        Frame(IMAGE, **{field: value})
    assert str(error.value).startswith(f"Frame.{field}")
    assert got in str(error.value)
    assert len(str(error.value)) < 200


def test_what_a_frame_takes() -> None:
    stamp, boxes = np.uint64(2**40), [BOX, BOX]
    frame = Frame(IMAGE, Camera.from_fov(160, 120), stamp, "camera", detections=boxes)  # type: ignore[arg-type]
    assert (frame.stamp_ns, type(frame.stamp_ns), frame.detections) == (2**40, int, (BOX, BOX))
    assert Frame(IMAGE, stamp_ns=-5).stamp_ns == -5
    assert Frame(IMAGE, detections=()).detections == ()
    assert Frame(IMAGE).detections is None
