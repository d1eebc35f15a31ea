"""AGORA's submission: a pickle per person with parameters and 2-D joints, all in one archive for its server."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smplerx_ros.body import BodyModel
from smplerx_ros.errors import InputError
from smplerx_ros.types import EYE_POSES, PARAM_SIZES, SmplxParams

from .predictors import Prediction

WIDTH, HEIGHT = 3840, 2160  # of the images in which the server wants joints
ARCHIVE = "predictions.zip"
FOLDER = "predictions"  # inside the archive


def person_entry(answer: Prediction, body: BodyModel, image_size: tuple[int, int]) -> dict[str, Any]:
    """What is submitted of one person, found in an image of `image_size` (height, width)."""
    joints = answer.pixels(body.landmarks144(answer.params)[0]) * [WIDTH / image_size[1], HEIGHT / image_size[0]]
    params = {name: _known(answer.params, name) for name in PARAM_SIZES}
    return {"params": params, "joints": joints[None].astype(np.float32)}


def write_submission(folder: Path, image: str, people: list[dict[str, Any]]) -> None:
    """`{image}_personId_{k}.pkl` for each person of an image. Raises InputError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for k, person in enumerate(people):
            (folder / f"{Path(image).stem}_personId_{k}.pkl").write_bytes(pickle.dumps(person, protocol=4))
    except OSError as error:
        raise InputError(f"{folder}: cannot be written to ({error.strerror})") from error


def pack_submission(folder: Path) -> Path:
    """The archive of all of them."""
    path = folder / ARCHIVE
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.glob("*_personId_*.pkl")):
            archive.write(file, f"{FOLDER}/{file.name}")
    return path


def _known(params: SmplxParams, name: str) -> NDArray[np.float32]:
    """`(1, n)`, with an eye pose that was not estimated at rest."""
    value = np.asarray(getattr(params, name), np.float32)
    return np.nan_to_num(value)[None] if name in EYE_POSES else value[None]
