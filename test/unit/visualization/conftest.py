from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from smplerx_ros.body import BodyModel
from smplerx_ros.geometry.boxes import Box
from smplerx_ros.types import Person, SmplxParams
from support.bodies import standin


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return standin()


@pytest.fixture(scope="module")
def stand(body: BodyModel) -> Callable[..., Person]:
    """`stand(id, x, z)`: somebody upright, facing the camera, pelvis near `(x, 0, z)`, with bent elbows."""

    def made(person_id: str, x: float, z: float) -> Person:
        pose = np.zeros(63, np.float32)
        pose[3 * 17 + 1] = 1.2
        params = replace(
            SmplxParams.rest(),
            global_orient=np.array([np.pi, 0, 0]),
            body_pose=pose,
            transl=np.array([x, 0.0, z]),
        )
        joints = body.joints(params)[0]
        return Person(person_id, 0.9, Box(0, 0, 10, 10), params, joints, np.zeros((55, 2)), np.ones(55))

    return made


@pytest.fixture
def page(body: BodyModel) -> Iterator[Any]:
    pytest.importorskip("viser", reason="the page for browsers needs the extra `viewer`")
    from smplerx_ros.visualization.web.page import Page

    made = Page(body, host="127.0.0.1", port=0)
    yield made
    made.close()
