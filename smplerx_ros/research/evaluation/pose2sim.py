"""Video clip of one person from four calibrated cameras, part of the PyPI package `pose2sim` (BSD-3-Clause).

The wheel (50 MB) is downloaded on demand. `Demo_SinglePerson`: 100 frames at 60 Hz of a barefoot man, about 1.72 m
tall, who balances on a beam; two cameras also see a woman behind him. His face is blurred, and he wears a bathing cap.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from zipfile import BadZipFile, ZipFile

import numpy as np
from numpy.typing import NDArray

from smplerx_ros.errors import InputError
from smplerx_ros.geometry.camera import Camera
from smplerx_ros.io.video import VideoFrame, VideoReader

from .triangulation import View

_log = logging.getLogger(__name__)

VERSION = "0.10.49"
PERSON_HEIGHT = 1.72  # metres
RATE = 60.0  # Hz
_WHEEL = f"pose2sim-{VERSION}-py3-none-any.whl"
_CLIP = "Pose2Sim/Demo_SinglePerson"
_CALIBRATION = f"{_CLIP}/calibration/Calib.qca.txt"
CAMERAS = ("cam01", "cam02", "cam03", "cam04")
_SUBPIXELS = 64.0  # per pixel, unit of Qualisys' video calibration


def fetch_clip(folder: Path) -> Path:
    """Return the clip's folder below `folder`; if it is missing, download the wheel with pip and extract the clip.

    Raises:
        InputError: If the wheel cannot be downloaded or extracted.
    """
    clip = folder / _CLIP
    if (folder / _CALIBRATION).is_file() and all(_video(clip, name).is_file() for name in CAMERAS):
        return clip
    folder.mkdir(parents=True, exist_ok=True)
    _log.warning("downloading pose2sim %s (50 MB) into %s", VERSION, folder)
    wanted = [f"pose2sim=={VERSION}", "--no-deps", "--only-binary", ":all:", "--dest", str(folder)]
    try:
        subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", *wanted], check=True)
        with ZipFile(folder / _WHEEL) as wheel:
            for name in wheel.namelist():
                if name == _CALIBRATION or name.startswith(f"{_CLIP}/videos/"):
                    wheel.extract(name, folder)
    except (subprocess.CalledProcessError, BadZipFile, OSError) as error:
        raise InputError(
            f"pose2sim {VERSION} cannot be downloaded ({error}); give the unpacked wheel with --data"
        ) from error
    return clip


def clip_folder(folder: Path) -> Path:
    """Find the clip in `folder`: the unpacked wheel, or the folder `Demo_SinglePerson` itself.

    Raises:
        InputError: If it is not there.
    """
    for clip in (folder, folder / "Demo_SinglePerson", folder / _CLIP):
        if (clip / "calibration" / "Calib.qca.txt").is_file() and (clip / "videos").is_dir():
            return clip
    raise InputError(f"{folder}: holds neither Demo_SinglePerson of pose2sim {VERSION} nor the wheel's Pose2Sim folder")


def frames(clip: Path, camera: str) -> Iterator[VideoFrame]:
    """Iterate over the frames of one camera."""
    with VideoReader(_video(clip, camera)) as reader:
        yield from reader


def views(clip: Path) -> dict[str, View]:
    """Read the camera calibration, scaled to the resolution of the videos.

    Raises:
        InputError: If the calibration cannot be read.
    """
    path = clip / "calibration" / "Calib.qca.txt"
    try:
        entries = {entry.attrib["serial"]: entry for entry in ElementTree.parse(path).getroot().iter("camera")}
        return {name: _view(entries[name], _size(clip, name)) for name in CAMERAS}
    except (OSError, ElementTree.ParseError, KeyError, ValueError, AttributeError) as error:
        raise InputError(f"{path}: not the calibration of pose2sim {VERSION} ({error!r})") from error


def _video(clip: Path, camera: str) -> Path:
    return clip / "videos" / f"{camera}.mp4"


def _size(clip: Path, camera: str) -> tuple[int, int]:
    height, width = next(frames(clip, camera)).image.shape[:2]
    return width, height


def _view(entry: ElementTree.Element, size: tuple[int, int]) -> View:
    """Convert one camera of a Qualisys calibration (millimetres, subpixels, z axis pointing backwards).

    Two videos have another width than in the calibration: their horizontal intrinsics are scaled.
    """
    fov, transform, intrinsic = (_numbers(entry, tag) for tag in ("fov_video", "transform", "intrinsic"))
    width = fov["right"] - fov["left"] + 1
    scale = size[0] / width
    focal = np.array([intrinsic["focalLengthU"], intrinsic["focalLengthV"]]) / _SUBPIXELS
    centre = np.array([intrinsic["centerPointU"], intrinsic["centerPointV"]]) / _SUBPIXELS - (fov["left"], fov["top"])
    k = np.array([[focal[0] * scale, 0, (centre[0] + 0.5) * scale - 0.5], [0, focal[1], centre[1]], [0, 0, 1]])
    radial = [intrinsic[f"radialDistortion{n}"] for n in (1, 2, 3)]
    tangential = [intrinsic[f"tangentalDistortion{n}"] for n in (1, 2)]
    camera = Camera(*size, k, np.array([*radial[:2], *tangential, radial[2]]))
    rows = np.array([[transform[f"r{i}{j}"] for j in (1, 2, 3)] for i in (1, 2, 3)])
    position = np.array([transform[axis] for axis in "xyz"]) / 1000
    return View(camera, _OPTICAL_FROM_QUALISYS @ rows, position)


_OPTICAL_FROM_QUALISYS: NDArray[np.float64] = np.diag([1.0, -1.0, -1.0])


def _numbers(entry: ElementTree.Element, tag: str) -> dict[str, float]:
    element = entry.find(tag)
    assert element is not None, tag
    return {name: float(value) for name, value in element.attrib.items()}
