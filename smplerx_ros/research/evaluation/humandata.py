"""HumanData: the annotated people of a set of images in one `.npz` file (MMHuman3D's format, used by SMPLer-X).

Image paths are relative to a folder. Every other entry has one row per person. Dictionaries are stored as pickles; they
are read by the restricted unpickler of `pickles`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from smplerx_ros.arrays import FloatArray, IntArray
from smplerx_ros.body.skeleton import JOINTS_137, NUM_LANDMARKS_144
from smplerx_ros.errors import InputError
from smplerx_ros.types import EYE_POSES, PARAM_SIZES, SmplxParams

from .pickles import Npz, read_npz

FAMILIES = ("smplx", "smpl", "smplh")  # body models, in order of preference
COMPRESSED_KEY = "__keypoints_compressed__"  # whether keypoints that are masked out are omitted
# In order of preference.
KEYPOINTS_3D = ("keypoints3d_cam", "keypoints3d", "keypoints3d_smplx", "keypoints3d_smpl", "keypoints3d_original")
KEYPOINTS_2D = ("keypoints2d", "keypoints2d_smplx", "keypoints2d_smpl", "keypoints2d_original")
_BOXES = {
    "left_hand_boxes": "lhand_bbox_xywh",
    "right_hand_boxes": "rhand_bbox_xywh",
    "face_boxes": "face_bbox_xywh",
}
_PARAMS = frozenset({*PARAM_SIZES, "betas_neutral"})  # entries that are read; files may hold metadata beside them
_NUM_HUMANDATA = 190  # size of HumanData's own keypoint convention, whose first 144 are smplx's
_SET_SIZE = len(JOINTS_137)
MAX_BETA = 3.0  # a fit with a larger beta is regarded as failed, and its betas are set to zero
# HumanData lists the eyes in the opposite order to smplx.
_EYES = (67, 68)
HUMANDATA_137 = tuple(JOINTS_137[{_EYES[0]: _EYES[1], _EYES[1]: _EYES[0]}.get(i, i)] for i in range(_SET_SIZE))


@dataclass(frozen=True, eq=False)
class Keypoints:
    """Keypoints of N people."""

    points: FloatArray  # (N, K, 2) pixels of the image, or (N, K, 3) metres
    confidence: FloatArray  # (N, K)
    mask: NDArray[np.bool_]  # (K,) which keypoints of the convention are annotated at all

    @property
    def valid(self) -> NDArray[np.bool_]:
        """`(N, K)`: annotated, finite, and with a confidence above 0."""
        return np.asarray((self.confidence > 0) & self.mask & np.isfinite(self.points).all(axis=-1))

    def joints_137(self) -> Keypoints:
        """Convert to SMPLer-X's 137 joints.

        Raises:
            InputError: If the number of keypoints is not 137, 144 (smplx) or 190 (HumanData).
        """
        count = len(self.mask)
        if count == _SET_SIZE:
            return self
        if count not in (NUM_LANDMARKS_144, _NUM_HUMANDATA):
            expected = f"{_SET_SIZE}, {NUM_LANDMARKS_144} or {_NUM_HUMANDATA}"
            raise InputError(f"keypoints: a list of {count}, expected {expected}")
        rows = np.array(HUMANDATA_137)
        return Keypoints(self.points[:, rows], self.confidence[:, rows], self.mask[rows])

    def __getitem__(self, rows: Any) -> Keypoints:
        """Select people."""
        return Keypoints(self.points[rows], self.confidence[rows], self.mask)


@dataclass(frozen=True, eq=False)
class HumanData:
    """Annotations of N people.

    Boxes have five columns: x, y, width, height in pixels, and a confidence that is 0 where there is no box.
    """

    image_paths: tuple[str, ...]  # (N,)
    boxes: FloatArray  # (N, 5)
    # (N, n) float32 by smplx's names, as far as annotated. Rotations are axis-angle, hand poses relative to the mean
    # hand; the `body_pose` of SMPL has 69 values.
    params: Mapping[str, FloatArray] = field(default_factory=dict)
    family: str = "smplx"  # body model of `params`, one of FAMILIES
    genders: tuple[str, ...] | None = None
    keypoints2d: Keypoints | None = None
    keypoints3d: Keypoints | None = None
    left_hand_boxes: FloatArray | None = None
    right_hand_boxes: FloatArray | None = None
    face_boxes: FloatArray | None = None
    image_sizes: IntArray | None = None  # (N, 2) height, width
    intrinsics: FloatArray | None = None  # (N, 4) fx, fy, cx, cy in pixels

    def __post_init__(self) -> None:
        rows = {f"params[{name!r}]": value for name, value in self.params.items()}
        rows |= {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("params", "family")}
        for name, value in rows.items():
            value = value.points if isinstance(value, Keypoints) else value
            if value is not None and len(value) != len(self.image_paths):
                raise InputError(f"HumanData.{name}: {len(value)} rows for {len(self.image_paths)} people")
        if self.family not in FAMILIES:
            raise InputError(f"HumanData.family: {self.family!r} is none of {', '.join(FAMILIES)}")

    def __len__(self) -> int:
        return len(self.image_paths)

    def select(self, rows: Sequence[int] | NDArray[Any]) -> HumanData:
        """Select people by their rows."""
        index = np.asarray(rows)
        kept = {f.name: _selected(getattr(self, f.name), index) for f in fields(self)}
        return replace(self, **kept)

    def smplx_params(self, *, neutral: bool = True) -> SmplxParams:
        """Return the parameters of the N bodies for an SMPL-X model, following SMPLer-X's evaluation.

        Missing parameters are zero, and so are eye poses. Betas are zero if one of them exceeds `MAX_BETA` (a failed
        fit) or if they belong to another body model.

        Args:
            neutral: Use the betas of the neutral model where the file has them separately (`betas_neutral`).

        Raises:
            InputError: If `global_orient` or `body_pose` is missing.
        """
        if "global_orient" not in self.params or "body_pose" not in self.params:
            raise InputError("HumanData: no body parameters (global_orient, body_pose) in it")
        values: dict[str, Any] = {name: np.zeros((len(self), size), np.float32) for name, size in PARAM_SIZES.items()}
        for name, value in values.items():
            if name in self.params and name not in EYE_POSES:
                given = self.params[name][:, : value.shape[1]]
                value[:, : given.shape[1]] = given
        if neutral and "betas_neutral" in self.params:
            values["betas"][:] = self.params["betas_neutral"][:, : values["betas"].shape[1]]
        failed = np.abs(values["betas"]).max(axis=1) > MAX_BETA
        values["betas"][failed | (self.family != "smplx")] = 0
        return SmplxParams(**values)


def read_humandata(path: str | Path, families: Sequence[str] = FAMILIES) -> HumanData:
    """Read a HumanData file.

    Args:
        path: The `.npz` file.
        families: Body models in order of preference; the first one that the file contains is read.

    Raises:
        InputError: If the file cannot be read; names the file and the entry.
    """
    with read_npz(path) as npz:
        if "image_path" not in npz or "bbox_xywh" not in npz:
            raise InputError(f"{path}: no HumanData file: image_path or bbox_xywh is missing")
        paths = tuple(map(_string, np.asarray(npz["image_path"]).ravel().tolist()))
        count = len(paths)
        family, params = _parameters(npz, families)
        meta, misc = _dictionary(npz, "meta"), _dictionary(npz, "misc")
        genders = meta.get("gender", params.get("gender"))
        entries: dict[str, Any] = {
            "image_paths": paths,
            "boxes": _boxes(npz, "bbox_xywh"),
            "params": {name: _rows(npz, name, value, count) for name, value in params.items() if name in _PARAMS},
            "family": family,
            "genders": None if genders is None else tuple(map(_string, _per_person(genders, count).tolist())),
            "keypoints2d": _keypoints(npz, KEYPOINTS_2D, 2),
            "keypoints3d": _keypoints(npz, KEYPOINTS_3D, 3),
            "image_sizes": _columns(meta, {"height": 1, "width": 1}, count, int),
            "intrinsics": _columns(misc, {"focal_length": 2, "principal_point": 2}, count, float),
            **{name: _boxes(npz, key) if key in npz else None for name, key in _BOXES.items()},
        }
    try:
        return HumanData(**entries)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _string(value: Any) -> str:
    """Decode a name; Python 2 and NumPy arrays of kind S store names as bytes."""
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)


def write_humandata(path: str | Path, data: HumanData, *, compressed: bool = True) -> None:
    """Write a file that this module and MMHuman3D's tools can read.

    Args:
        path: The `.npz` file.
        data: What to write.
        compressed: Omit keypoints that are masked out (HumanData's keypoint compression).

    Raises:
        InputError: If the file cannot be written.
    """
    entries: dict[str, Any] = {
        "image_path": np.array(data.image_paths, dtype=np.str_),
        "bbox_xywh": np.asarray(data.boxes, np.float32),
        COMPRESSED_KEY: np.array(compressed),
        "meta": {},
        "misc": {},
    }
    if data.params:
        entries[data.family] = {name: np.asarray(value, np.float32) for name, value in data.params.items()}
    for name, key in _BOXES.items():
        if getattr(data, name) is not None:
            entries[key] = np.asarray(getattr(data, name), np.float32)
    for key, keypoints in (("keypoints2d", data.keypoints2d), ("keypoints3d", data.keypoints3d)):
        if keypoints is not None:
            entries |= _keypoint_entries(key, keypoints, compressed)
    if data.genders is not None:
        entries["meta"]["gender"] = list(data.genders)
    if data.image_sizes is not None:
        entries["meta"] |= {"height": data.image_sizes[:, 0].tolist(), "width": data.image_sizes[:, 1].tolist()}
    if data.intrinsics is not None:
        entries["misc"] |= {"focal_length": data.intrinsics[:, :2], "principal_point": data.intrinsics[:, 2:]}
    try:
        np.savez_compressed(Path(path), **entries)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from error


def boxes_with_confidence(boxes: ArrayLike) -> FloatArray:
    """Return boxes `(N, 4)` (x, y, width, height) or `(N, 5)` as `(N, 5) float32`; a missing confidence is 1."""
    rows = np.asarray(boxes, np.float32)
    if rows.ndim != 2 or rows.shape[1] not in (4, 5):
        raise InputError(f"boxes have shape {rows.shape}, expected (N, 4) or (N, 5): x, y, width, height, confidence")
    return rows if rows.shape[1] == 5 else np.column_stack([rows, np.ones(len(rows), np.float32)])


def _selected(value: Any, index: NDArray[Any]) -> Any:
    if isinstance(value, tuple):
        return tuple(value[i] for i in np.arange(len(value))[index])
    if isinstance(value, Mapping):
        return {name: rows[index] for name, rows in value.items()}
    return value[index] if isinstance(value, (np.ndarray, Keypoints)) else value


def _parameters(npz: Npz, families: Sequence[str]) -> tuple[str, dict[str, Any]]:
    family = next((family for family in families if family in npz), families[0])
    return family, _dictionary(npz, family)


def _dictionary(npz: Npz, name: str) -> dict[str, Any]:
    """Return a dictionary of columns; a list of one dictionary per row is converted."""
    value = npz.get(name, {})
    if isinstance(value, np.ndarray) and value.dtype.hasobject:
        value = value.tolist()
    if isinstance(value, list) and all(isinstance(row, dict) for row in value):
        shared = set.intersection(*(set(row) for row in value)) if value else set()
        return {key: [row[key] for row in value] for key in sorted(shared)}
    if not isinstance(value, dict):
        raise InputError(f"{npz.path}: {name} is {type(value).__name__}, expected a dictionary")
    return dict(value)


def _rows(npz: Npz, name: str, value: Any, count: int) -> FloatArray:
    problem = f"{npz.path}: parameter {name} has no row of numbers for each of {count} people"
    try:
        rows = np.asarray(value, np.float32)
    except (ValueError, TypeError) as error:
        raise InputError(problem) from error
    if rows.shape[:1] != (count,):
        raise InputError(problem)
    return rows.reshape(count, rows.size // max(count, 1))


def _boxes(npz: Npz, name: str) -> FloatArray:
    try:
        return boxes_with_confidence(npz[name])
    except (InputError, ValueError, TypeError) as error:
        raise InputError(f"{npz.path}: {name}: {error}") from error


def _columns(table: Mapping[str, Any], widths: Mapping[str, int], count: int, kind: type) -> Any:
    """Stack columns of the given widths to `(count, n)`; None if one is missing or does not have a row per person.

    A scalar applies to all people, and a single focal length to both axes.
    """
    try:
        columns = [_per_person(np.asarray(table[name], kind), count).reshape(count, -1) for name in widths]
        wide = [np.broadcast_to(column, (count, width)) for column, width in zip(columns, widths.values(), strict=True)]
    except (KeyError, ValueError, TypeError):
        return None
    return np.column_stack(wide)


def _per_person(value: Any, count: int) -> NDArray[Any]:
    """Return one value per person; a scalar applies to all."""
    values = np.asarray(value)
    return values if values.ndim else np.full(count, values)


def _keypoints(npz: Npz, names: tuple[str, ...], dimensions: int) -> Keypoints | None:
    name = next((name for name in names if name in npz), None)
    if name is None:
        return None
    values = np.asarray(npz[name])
    if values.ndim != 3 or values.shape[2] not in (dimensions, dimensions + 1) or values.dtype.kind not in "fiu":
        shape = f"shape {values.shape} of {values.dtype}"
        raise InputError(f"{npz.path}: {name} has {shape}, expected (N, K, {dimensions + 1}) numbers")
    values = values.astype(np.float32)
    general = f"{names[1] if dimensions == 3 else names[0]}_mask"
    key = next((key for key in (f"{name}_mask", general) if key in npz), None)
    packed = bool(npz.get(COMPRESSED_KEY, False))
    if packed and key is None:
        raise InputError(f"{npz.path}: {name} is compressed, but no mask says which keypoints it contains")
    mask = np.ones(values.shape[1], bool) if key is None else np.asarray(npz[key]).ravel() > 0
    if packed and values.shape[1] == mask.sum():
        full = np.zeros((len(values), len(mask), values.shape[2]), np.float32)
        full[:, mask] = values
        values = full
    if values.shape[1] != len(mask):
        raise InputError(f"{npz.path}: {name} has {values.shape[1]} keypoints, {key} has {len(mask)}")
    scored = values.shape[2] == dimensions + 1
    confidence = values[..., dimensions] if scored else np.ones(values.shape[:2], np.float32)
    return Keypoints(values[..., :dimensions], confidence, mask)


def _keypoint_entries(key: str, keypoints: Keypoints, compressed: bool) -> dict[str, Any]:
    values = np.concatenate([keypoints.points, keypoints.confidence[..., None]], axis=-1).astype(np.float32)
    return {
        key: values[:, keypoints.mask] if compressed else values,
        f"{key}_mask": keypoints.mask.astype(np.uint8),
    }
