"""sensor_msgs/CameraInfo to a Camera of the image as it arrives, by REP-104."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header

from smplerx_ros.arrays import FloatArray
from smplerx_ros.errors import InputError
from smplerx_ros.geometry.camera import Camera
from smplerx_ros.geometry.lens import is_fisheye

_LONGEST_MODEL = 40  # characters of a name that may be anything, and that errors repeat


def camera_from_info(info: CameraInfo, topic: str, *, rectified: bool = False) -> Camera:
    """The camera of the delivered image: region of interest cut out and binning applied.

    `rectified`: the image is undistorted, so P counts and D does not; where P's fourth column says so, the optical
    centre is beside the origin of the frame (the right camera of a stereo pair). Raises InputError naming topic and
    field.
    """
    # REP-104: 0 means 1 for binning, and the full image for the region of interest.
    binning = np.array([max(info.binning_x, 1), max(info.binning_y, 1)])
    roi = info.roi
    full = roi.width == 0 or roi.height == 0
    size = np.array([info.width, info.height] if full else [roi.width, roi.height])
    offset = np.zeros(2) if full else np.array([roi.x_offset, roi.y_offset])
    if np.any(offset + size > [info.width, info.height]):
        raise InputError(
            f"{topic}: roi {roi.width}x{roi.height} at {offset} exceeds the {info.width}x{info.height} image"
        )

    field = "p" if rectified else "k"
    p = _scaled(np.array(info.p).reshape(3, 4))
    if rectified and p[2, 3] != 0:
        raise InputError(f"{topic}: using p: its third row must be 0, 0, 1, 0, got {info.p[8:12].tolist()}")
    k = p[:, :3].copy() if rectified else _scaled(np.array(info.k).reshape(3, 3))
    k[:2, 2] -= offset  # REP-104: K is of the full-resolution image
    k[:2] /= binning[:, None]
    width, height = (size // binning).tolist()
    model, coefficients = info.distortion_model[:_LONGEST_MODEL], np.array(info.d, dtype=np.float64)
    # Zeros bend nothing, by whatever name, but in a fisheye lens.
    if rectified or not (np.any(coefficients) or is_fisheye(model)):
        model, coefficients = "", np.zeros(0)
    try:
        camera = Camera(width, height, k, coefficients, model)
        return replace(camera, centre=_centre(p)) if rectified else camera
    except InputError as error:
        raise InputError(f"{topic}: {info.width}x{info.height}, using {field}: {error}") from error


def info_from_camera(camera: Camera, header: Header) -> CameraInfo:
    """The CameraInfo of an image as it is, neither rectified, binned nor cut; P's fourth column tells its `centre`."""
    info = CameraInfo(header=header, width=camera.width, height=camera.height)
    info.distortion_model = camera.model
    info.d = camera.d.tolist() or [0.0] * 5
    info.k = camera.k.ravel()
    info.r = np.eye(3).ravel()
    info.p = np.concatenate([camera.k, -camera.k @ camera.centre[:, None]], axis=1).ravel()
    return info


def describe_centre(camera: Camera, frame_id: str) -> str:
    """What P's fourth column means for positions, for the log; empty where it is zero."""
    x, y, _ = camera.centre.tolist()
    if not (x or y):
        return ""
    return (
        f"P's fourth column puts the camera {x:+.4f} m right and {y:+.4f} m below the origin of {frame_id!r}, as for "
        f"the right camera of a stereo pair: positions are those in {frame_id!r}. If that is this camera's own optical "
        "frame, set image_is_rectified to false (K is used; D of rectified images is zero) or publish P without it"
    )


def _scaled(matrix: FloatArray) -> FloatArray:
    """`matrix (3, n)` with 1 in K's corner, as offsets in pixels need it: it means the same at any scale."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(matrix / matrix[2, 2] if matrix[2, 2] > 0 else matrix)


def _centre(p: FloatArray) -> FloatArray:
    """The optical centre `(3,)` in metres in the frame whose points `p (3, 4)` projects: P's Tx is -fx times its x."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.array([-p[0, 3] / p[0, 0], -p[1, 3] / p[1, 1], 0.0])
