"""Parameters say which of them were observed, as messages and files can hold it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from smplerx_ros.results import FrameResult, read_people, write_people
from smplerx_ros.types import Box, Estimated, Person, SmplxParams

ALL = 2047  # SmplxParams.msg
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
