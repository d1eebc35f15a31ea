"""Read and write the results of a run: people.npz, with one row per person and frame, and summary.json."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smplerx_ros.arrays import FloatArray
from smplerx_ros.errors import InputError
from smplerx_ros.types import NUM_JOINTS, PARAM_SIZES, Person

from .files import ARCHIVE_ERRORS, NotAnArchive, atomic_write, file_problem, open_npz, partial_path, reason

PEOPLE_FILE, SUMMARY_FILE, OVERLAY_FILE = "people.npz", "summary.json", "overlay.mp4"


@dataclass(frozen=True, eq=False)
class FrameResult:
    """The people of one processed frame."""

    frame: int  # index of the frame in its source, from 0
    stamp_ns: int
    people: tuple[Person, ...]
    k: FloatArray  # (3, 3) pixels: camera matrix used for the estimate


def write_people(path: Path, results: Sequence[FrameResult]) -> None:
    """Write one row per person and frame; every array has N rows.

    `frame` and `stamp_ns` (int64), `id` (string), `score`, `box (N, 4)` pixels x0 y0 x1 y1, the SMPL-X parameters by
    their names (SmplxParams), `estimated` (bit mask), `distance_source` (DistanceSource),
    `since_detection_s`, `joints (N, 55, 3)` metres in the optical frame, `joints_image (N, 55, 2)` pixels,
    `joints_in_image (N, 55)`, `confidence (N, 55)`, `pose_covariance (N, 6, 6)` of the pelvis, `K (N, 3, 3)`.
    """
    rows = [(result, person) for result in results for person in result.people]
    people = [person for _, person in rows]
    arrays: dict[str, NDArray[Any]] = {
        "frame": np.array([result.frame for result, _ in rows], np.int64),
        "stamp_ns": np.array([result.stamp_ns for result, _ in rows], np.int64),
        "id": np.array([person.id for person in people], np.str_),
        "score": np.array([person.score for person in people], np.float32),
        "box": _rows([person.box.xyxy for person in people], 4),
        "estimated": np.array([int(person.params.estimated) for person in people], np.uint16),
        "distance_source": np.array([int(person.distance_source) for person in people], np.uint8),
        "since_detection_s": np.array([person.since_detection_s for person in people], np.float64),
        "joints": _rows([person.joints for person in people], NUM_JOINTS, 3),
        "joints_image": _rows([person.joints_image for person in people], NUM_JOINTS, 2),
        "joints_in_image": np.array([person.joints_in_image for person in people], np.bool_).reshape(-1, NUM_JOINTS),
        "confidence": _rows([person.confidence for person in people], NUM_JOINTS),
        "pose_covariance": _rows([person.pose_covariance for person in people], 6, 6, dtype=np.float64),
        "K": _rows([result.k for result, _ in rows], 3, 3, dtype=np.float64),
    }
    for name, size in PARAM_SIZES.items():
        arrays[name] = _rows([getattr(person.params, name) for person in people], size)
    with atomic_write(path) as partial, partial.open("wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]  # NumPy's stub confuses a name with allow_pickle


def read_people(path: str | Path) -> dict[str, NDArray[Any]]:
    """Read the arrays that `write_people` wrote.

    Raises:
        InputError: If the file is missing, damaged or not a people.npz.
    """
    path = Path(path)
    if problem := file_problem(path):
        raise InputError(f"{path}: {problem}")
    try:
        with open_npz(path) as archive:
            arrays = {name: np.asarray(archive[name]) for name in archive.files}
    except NotAnArchive as error:
        raise InputError(f"{path}: not a people.npz ({reason(error)})") from error
    except ARCHIVE_ERRORS as error:
        raise InputError(f"{path}: a damaged people.npz ({reason(error)}); estimate it again") from error
    missing = {"frame", "id", "joints", "joints_image", "K", *PARAM_SIZES} - set(arrays)
    if missing:
        raise InputError(f"{path}: not a people.npz, it lacks {sorted(missing)}")
    lengths = {name: len(array) if array.ndim else None for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        raise InputError(f"{path}: not a people.npz, its arrays have different lengths: {lengths}")
    return arrays


def check_output(given: Path, out: Path, *names: str) -> None:
    """Check that none of the files `names` in the folder `out` would replace the input `given`.

    Raises:
        InputError: If one would.
    """
    for name in names:
        for target in (out / name, partial_path(out / name)):
            try:
                same = target.exists() and given.exists() and target.samefile(given)
            except OSError as error:
                raise InputError(f"--out {out}: cannot be used ({reason(error)})") from error
            if same:
                raise InputError(f"--out {out}: {target.name} would be written over the input; choose another folder")


def make_output(out: Path, *names: str) -> None:
    """Create the folder `out` and check that the files `names` can be written into it.

    Raises:
        InputError: If they cannot.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--out {out}: cannot be created ({reason(error)})") from error
    try:
        with tempfile.TemporaryFile(dir=out) as file:
            file.write(b" ")  # an empty file can be created on a full disk
        folders = [name for name in names if (out / name).is_dir()]
    except OSError as error:
        raise InputError(f"--out {out}: cannot be written to ({reason(error)}); choose another folder") from error
    if folders:
        raise InputError(f"--out {out}: {folders[0]} is a folder there; remove it or choose another --out")


def count_people(results: Sequence[FrameResult]) -> dict[str, Any]:
    """Entries of every summary: number of frames, number of people in each, and their ids."""
    return {
        "frames_processed": len(results),
        "people": [len(result.people) for result in results],
        "ids": list(dict.fromkeys(person.id for result in results for person in result.people)),
    }


def write_summary(path: Path, summary: Mapping[str, Any]) -> None:
    """Write strictly conforming JSON with one entry per line; non-finite numbers become null."""
    lines = [f"  {json.dumps(name)}: {json.dumps(_finite(value), allow_nan=False)}" for name, value in summary.items()]
    with atomic_write(path) as partial:
        partial.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def _rows(values: Sequence[Any], *shape: int, dtype: type[np.floating[Any]] = np.float32) -> NDArray[Any]:
    return np.array(values, dtype).reshape(len(values), *shape)


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
