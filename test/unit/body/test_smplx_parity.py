"""Our body against the smplx package: pinned answers that always run, and the package itself where it is installed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from smplerx_ros.body import BodyModel, load_body
from smplerx_ros.body.landmarks import contour_rows
from smplerx_ros.body.skeleton import JOINT_INDEX
from smplerx_ros.types import PARAM_SIZES, SmplxParams
from support.smplx_cases import GOLDEN, MODELS, VERTEX_STEP, parameters, smplx_answers

TOLERANCE = 1e-5  # metres


def test_pinned_answers(case: tuple[str, BodyModel]) -> None:
    name, body = case
    golden = np.load(GOLDEN)
    params = SmplxParams(**{key: golden[key] for key in PARAM_SIZES})
    np.testing.assert_allclose(body.landmarks144(params), golden[f"{name}_joints"], atol=TOLERANCE)
    np.testing.assert_allclose(body.joints(params), golden[f"{name}_joints"][:, :55], atol=TOLERANCE)
    np.testing.assert_allclose(body.vertices(params)[:, ::VERTEX_STEP], golden[f"{name}_vertices"], atol=TOLERANCE)


def test_the_pinned_heads_turn_through_the_contour_table(standin: BodyModel) -> None:
    golden = np.load(GOLDEN)
    params = SmplxParams(**{key: golden[key] for key in PARAM_SIZES})
    rows = contour_rows(standin.transforms(params)[0][:, JOINT_INDEX["neck"]])
    assert {39, 78} <= set(rows.tolist())
    assert len(set(rows.tolist())) >= 6


@pytest.mark.parametrize("name", MODELS)
def test_the_package_itself(name: str, model_files: dict[str, Path]) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("smplx", reason="the extra [smplx] has a non-commercial licence; its answers are pinned above")
    params = parameters()
    joints, vertices = smplx_answers(model_files[name], params)
    body = load_body(model_files[name])
    np.testing.assert_allclose(body.landmarks144(params), joints, atol=TOLERANCE)
    np.testing.assert_allclose(body.vertices(params), vertices, atol=TOLERANCE)
    np.testing.assert_allclose(joints, np.load(GOLDEN)[f"{name}_joints"], atol=TOLERANCE)
