"""Body models for the tests: the embedded stand-in, and synthetic files of SMPL-X's official shape."""

from __future__ import annotations

from pathlib import Path

import pytest

from smplerx_ros.body import BodyModel, load_body
from support import bodies
from support.smplx_cases import MODELS, write_model


@pytest.fixture(scope="session")
def standin() -> BodyModel:
    return bodies.standin()


@pytest.fixture(scope="session")
def model_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A file per entry of `MODELS`, named so that smplx loads it too."""
    folder = tmp_path_factory.mktemp("models")
    return {name: write_model(name, folder / name / "SMPLX_NEUTRAL.npz") for name in MODELS}


@pytest.fixture(scope="session", params=MODELS)
def case(request: pytest.FixtureRequest, model_files: dict[str, Path]) -> tuple[str, BodyModel]:
    """Each model in turn, by name and loaded."""
    return request.param, load_body(model_files[request.param])
