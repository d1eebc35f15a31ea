"""Generation of synthetic data sets on disk: images, and annotations as HumanData."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from smplerx_ros.arrays import FloatArray
from smplerx_ros.body.model import BodyModel, load_body
from smplerx_ros.errors import ConfigError
from smplerx_ros.research.evaluation.humandata import HumanData, Keypoints, write_humandata
from smplerx_ros.types import PARAM_SIZES, SmplxParams

from .scene import Scene, SceneOptions, random_scene

ANNOTATIONS = "humandata.npz"
IMAGES = "images"
BOX_PADDING = 1.2  # of HumanData's boxes of people
_JPEG_QUALITY = 92
_PARTS = {"left_hand_boxes": slice(25, 45), "right_hand_boxes": slice(45, 65), "face_boxes": slice(65, 137)}
_MIN_BOX_SIDE = 2.0  # pixels; smaller boxes are not valid
Row = dict[str, Any]


def generate(
    out: str | Path,
    samples: int,
    options: SceneOptions | None = None,
    *,
    seed: int = 0,
    processes: int = 1,
    body_model: str | Path | None = None,
    progress: Callable[[], object] = lambda: None,
) -> HumanData:
    """Render a data set. The result depends on seed and options, not on the number of processes.

    Args:
        out: New directory, receives the images and `humandata.npz`.
        samples: Number of images.
        options: Of the scenes.
        seed: Of the data set.
        processes: Number of rendering processes.
        body_model: `SMPLX_*.npz`; None: the embedded stand-in.
        progress: Called after each image.

    Returns:
        The annotations.

    Raises:
        ConfigError: If an argument is invalid, `out` exists or cannot be written, or nobody is visible.
    """
    out = Path(out)
    if samples < 1:
        raise ConfigError(f"samples {samples}: at least one image is needed")
    if processes < 1:
        raise ConfigError(f"processes {processes}: at least one is needed")
    try:
        (out / IMAGES).mkdir(parents=True)
    except FileExistsError as error:
        raise ConfigError(f"out {out}: holds a set already; choose a new directory or remove it") from error
    except OSError as error:
        raise ConfigError(f"out {out}: cannot be written ({error.strerror})") from error
    rows: list[Row] = []
    sample = partial(_generate_sample, out=out, options=options or SceneOptions(), seed=seed, body_model=body_model)
    for sample_rows in _map(sample, samples, processes):
        rows += sample_rows
        progress()
    if not rows:
        raise ConfigError(f"out {out}: nobody is visible in {samples} images; render more")
    data = _humandata(rows)
    write_humandata(out / ANNOTATIONS, data)
    return data


def annotate(body: BodyModel, scene: Scene, name: str) -> list[Row]:
    """Return a row of HumanData for each of the scene's people; `name` is the path of the image."""
    return [_row(body, scene, params, name) for params in scene.people]


def _map(sample: Callable[[int], list[Row]], samples: int, processes: int) -> Iterator[list[Row]]:
    if processes == 1:
        yield from map(sample, range(samples))
        return
    # Spawned: forking is not safe with libraries that run threads.
    with multiprocessing.get_context("spawn").Pool(processes, cv2.setNumThreads, (1,)) as pool:
        yield from pool.imap(sample, range(samples), chunksize=4)


_cached_body = cache(load_body)  # one per process


def _generate_sample(
    index: int, *, out: Path, options: SceneOptions, seed: int, body_model: str | Path | None
) -> list[Row]:
    body = _cached_body(body_model)
    scene = random_scene(body, options, seed, index)
    name = f"{IMAGES}/{index:06}.jpg"
    if not cv2.imwrite(str(out / name), scene.image[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]):
        raise ConfigError(f"out {out}: image {name} cannot be written; is the disk full?")
    return annotate(body, scene, name)


def _row(body: BodyModel, scene: Scene, params: SmplxParams, name: str) -> Row:
    camera = scene.camera
    joints = body.landmarks137(params)[0]
    pixels = camera.project(joints)
    inside = ((pixels >= 0) & (pixels <= [camera.width - 1, camera.height - 1])).all(axis=1)
    fx, fy, cx, cy = camera.k[[0, 1, 0, 1], [0, 1, 2, 2]]
    row: Row = {
        "image_paths": name,
        "boxes": _box(camera.project(body.vertices(params)[0]), scene, BOX_PADDING),
        "points2d": pixels,
        "confidence2d": inside.astype(np.float32),
        "points3d": joints,
        "image_sizes": (camera.height, camera.width),
        "intrinsics": (fx, fy, cx, cy),
        "params": {field: getattr(params, field) for field in PARAM_SIZES},
    }
    return row | {part: _box(pixels[rows], scene) for part, rows in _PARTS.items()}


def _box(pixels: FloatArray, scene: Scene, padding: float = 1.0) -> FloatArray:
    """Return the bounding box of `pixels (N, 2)` inside the image: `(5,)` x, y, width, height, confidence."""
    largest = np.array([scene.camera.width - 1, scene.camera.height - 1])
    low, high = np.nanmin(pixels, axis=0).clip(0, largest), np.nanmax(pixels, axis=0).clip(0, largest)
    size = (high - low) * padding
    return np.array([*((low + high - size) / 2), *size, float((high - low).min() >= _MIN_BOX_SIDE)], np.float32)


def _humandata(rows: list[Row]) -> HumanData:
    points = {name: np.stack([row[name] for row in rows]).astype(np.float32) for name in ("points2d", "points3d")}
    confidence = np.stack([row["confidence2d"] for row in rows])
    mask = np.ones(confidence.shape[1], bool)
    names = ("boxes", "image_sizes", "intrinsics", *_PARTS)
    stacked: dict[str, Any] = {name: np.stack([row[name] for row in rows]) for name in names}
    return HumanData(
        image_paths=tuple(row["image_paths"] for row in rows),
        params={field: np.stack([row["params"][field] for row in rows]) for field in PARAM_SIZES},
        genders=("neutral",) * len(rows),
        keypoints2d=Keypoints(points["points2d"], confidence, mask),
        keypoints3d=Keypoints(points["points3d"], np.ones_like(confidence), mask),
        **stacked,
    )
