"""Read and validate a body model in SMPL-X's `.npz` format; pickled objects are refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from smplerx_ros.arrays import FloatArray, IntArray
from smplerx_ros.errors import ModelFileError
from smplerx_ros.io.files import ARCHIVE_ERRORS, NotAnArchive, open_npz, reason

from .skeleton import EXTRA_JOINT_VERTICES, JOINT_NAMES, NUM_CONTOUR_LANDMARKS, NUM_STATIC_LANDMARKS, PARENTS

NUM_BETAS = 10
NUM_EXPRESSIONS = 10
SMPLX_VERTICES = 10475  # SMPL-X, all genders
WIDE_COMPONENTS = 400  # SMPL-X 1.1: 300 shape components, then 100 of expression
WIDE_EXPRESSION_START = 300
NARROW_COMPONENTS = 20  # SMPL-X 1.0: 10 of each
NARROW_EXPRESSION_START = 10
POSE_FEATURES = 9 * (len(JOINT_NAMES) - 1)  # entries of the rotation matrices of all joints but the root
HAND_SIZE = 45
CONTOUR_ROWS = 79  # face contours for head yaws of 0..39 and -1..-39 degrees
LARGEST_ARRAY = 1 << 28  # bytes; the largest array of SMPL-X, `posedirs` in double precision, has 122 million
NAME_KEY = "body_name"  # not in official files; the name of another body in SMPL-X's format
EXPRESSION_NAMES_KEY = "expr_names"  # not in official files either
ADVICE = "download the .npz model of SMPL-X v1.1 from https://smpl-x.is.tue.mpg.de"


@dataclass(frozen=True, eq=False)
class BodyData:
    """Content of a model file with `V` vertices and `F` faces; metres, template frame (x left, y up, z front)."""

    name: str
    v_template: FloatArray  # (V, 3)
    faces: NDArray[np.int32]  # (F, 3)
    shape_dirs: FloatArray  # (V, 3, 20): 10 betas, 10 expressions
    pose_dirs: FloatArray | None  # (V, 3, 486); None if all are zero
    joint_regressor: FloatArray  # (55, V)
    weights: FloatArray  # (V, 55)
    hands_mean: FloatArray  # (2, 45) left, right: axis-angle
    landmark_faces: IntArray  # (51,)
    landmark_barycentric: FloatArray  # (51, 3)
    contour_faces: IntArray  # (79, 17)
    contour_barycentric: FloatArray  # (79, 17, 3)
    expression_names: tuple[str, ...]  # (10,), or empty if the file does not name its expressions (SMPL-X)


def read_body(file: IO[bytes], label: str) -> BodyData:
    """Read and validate a model file.

    Files with 400 shape components hold the expressions from component 300 on, files with 20 from component 10 on.

    Args:
        file: The open file.
        label: The file's path, for error messages.

    Raises:
        ModelFileError: If the file is unusable; the message names the file, the key and the remedy.
    """
    try:
        archive = open_npz(file)
    except NotAnArchive as error:
        raise ModelFileError(f"{label}: not a model ({reason(error)}); {ADVICE}") from error
    except ARCHIVE_ERRORS as error:
        raise ModelFileError(f"{label}: a damaged .npz file ({reason(error)}); {ADVICE}") from error
    with archive:
        return _body(_Archive(archive, label))


def _body(archive: _Archive) -> BodyData:
    name = archive.name()
    v_template = archive.floats("v_template", (None, 3))
    num_vertices = len(v_template)
    _check_vertices(archive, name, num_vertices)
    _check_tree(archive)
    faces = archive.indices("f", (None, 3), num_vertices)
    pose_dirs = archive.floats("posedirs", (num_vertices, 3, POSE_FEATURES))
    num_joints = len(JOINT_NAMES)
    contour = (CONTOUR_ROWS, NUM_CONTOUR_LANDMARKS)
    return BodyData(
        name=name,
        v_template=v_template,
        faces=faces.astype(np.int32),
        shape_dirs=_shape_dirs(archive, num_vertices),
        pose_dirs=pose_dirs if pose_dirs.any() else None,
        joint_regressor=archive.floats("J_regressor", (num_joints, num_vertices)),
        weights=archive.floats("weights", (num_vertices, num_joints)),
        hands_mean=np.stack([archive.floats(f"hands_mean{side}", (HAND_SIZE,)) for side in "lr"]).astype(np.float64),
        landmark_faces=archive.indices("lmk_faces_idx", (NUM_STATIC_LANDMARKS,), len(faces)),
        landmark_barycentric=archive.floats("lmk_bary_coords", (NUM_STATIC_LANDMARKS, 3)),
        contour_faces=archive.indices("dynamic_lmk_faces_idx", contour, len(faces)),
        contour_barycentric=archive.floats("dynamic_lmk_bary_coords", (*contour, 3)),
        expression_names=archive.expression_names(),
    )


def _check_vertices(archive: _Archive, name: str, num_vertices: int) -> None:
    if not archive.has(NAME_KEY) and num_vertices != SMPLX_VERTICES:
        raise archive.error("v_template", f"has {num_vertices} vertices, SMPL-X has {SMPLX_VERTICES}")
    if num_vertices <= max(EXTRA_JOINT_VERTICES):
        raise archive.error(
            "v_template",
            f"{name} has {num_vertices} vertices, the extra joints need vertex {max(EXTRA_JOINT_VERTICES)}",
        )


def _check_tree(archive: _Archive) -> None:
    table = archive.array("kintree_table", (2, len(PARENTS)), "iu")
    if tuple(table[0, 1:].tolist()) != PARENTS[1:]:
        raise archive.error("kintree_table", "is not the joint tree of SMPL-X")


def _shape_dirs(archive: _Archive, num_vertices: int) -> FloatArray:
    dirs = archive.floats("shapedirs", (num_vertices, 3, None))
    starts = {WIDE_COMPONENTS: WIDE_EXPRESSION_START, NARROW_COMPONENTS: NARROW_EXPRESSION_START}
    components = dirs.shape[2]
    if components not in starts:
        raise archive.error("shapedirs", f"has {components} components, expected {' or '.join(map(str, starts))}")
    start = starts[components]
    return np.concatenate([dirs[..., :NUM_BETAS], dirs[..., start : start + NUM_EXPRESSIONS]], axis=-1)


class _Archive:
    """Typed and validated access to the arrays of an open `.npz`; only requested keys are decoded."""

    def __init__(self, archive: Any, label: str) -> None:
        self._archive = archive
        self._label = label

    def error(self, key: str, problem: str) -> ModelFileError:
        return ModelFileError(f"{self._label}: {key} {problem}; {ADVICE}")

    def has(self, key: str) -> bool:
        return key in self._archive.files

    def name(self) -> str:
        if self.has(NAME_KEY):
            return str(self.array(NAME_KEY, (), "U"))
        return self._label.replace("\\", "/").rsplit("/", 1)[-1].removesuffix(".npz")

    def expression_names(self) -> tuple[str, ...]:
        if not self.has(EXPRESSION_NAMES_KEY):
            return ()
        return tuple(map(str, self.array(EXPRESSION_NAMES_KEY, (NUM_EXPRESSIONS,), "U")))

    def array(self, key: str, shape: tuple[int | None, ...], kinds: str) -> NDArray[Any]:
        """The array under `key`; None in `shape` accepts any size, `kinds` are NumPy dtype kinds."""
        if not self.has(key):
            raise self.error(key, "is missing")
        unpacked = max(
            (i.file_size for i in self._archive.zip.infolist() if i.filename in (key, f"{key}.npy")), default=0
        )
        if unpacked > LARGEST_ARRAY:
            raise self.error(key, f"unpacks to {unpacked} bytes, more than the limit of {LARGEST_ARRAY}")
        try:
            value = np.asarray(self._archive[key])
        except ARCHIVE_ERRORS as error:
            raise self.error(key, f"cannot be read ({reason(error)})") from error
        if value.dtype.kind not in kinds:
            raise self.error(key, f"has dtype {value.dtype}")
        if len(shape) != value.ndim or any(shape[axis] not in (None, size) for axis, size in enumerate(value.shape)):
            wanted = tuple("any" if size is None else size for size in shape)
            raise self.error(key, f"has shape {value.shape}, expected {wanted}")
        return value

    def floats(self, key: str, shape: tuple[int | None, ...]) -> FloatArray:
        value = self.array(key, shape, "f")
        if not np.isfinite(value).all():
            raise self.error(key, "holds non-finite values")
        return value

    def indices(self, key: str, shape: tuple[int | None, ...], limit: int) -> IntArray:
        value = self.array(key, shape, "iu").astype(np.int64)
        if value.size == 0 or value.min() < 0 or value.max() >= limit:
            raise self.error(key, f"holds indices outside 0..{limit - 1}")
        return value
