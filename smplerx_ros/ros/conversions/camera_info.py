"""Conversions between sensor_msgs/CameraInfo and Camera, following REP-104."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header

from smplerx_ros.arrays import FloatArray
from smplerx_ros.errors import InputError
from smplerx_ros.geometry.camera import Camera
from smplerx_ros.geometry.lens import is_fisheye

_LONGEST_MODEL = 40  # characters of the distortion model's name that are kept and quoted in errors


def camera_from_info(info: CameraInfo, topic: str, *, rectified: bool = False) -> Camera:
    """The camera of the image as delivered, after region of interest and binning.

    Args:
        info: The message.
        topic: Its topic, for errors.
        rectified: The image is undistorted: P is used, and D is not. P's fourth column may place the optical centre
            beside the frame's origin (the right camera of a stereo pair).

    Raises:
        InputError: The message describes no usable camera; the error names topic and field.
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
    k[:2, 2] -= offset  # REP-104: K refers to the full-resolution image
    k[:2] /= binning[:, None]
    width, height = (size // binning).tolist()
    model, coefficients = info.distortion_model[:_LONGEST_MODEL], np.array(info.d, dtype=np.float64)
    # Zero coefficients mean no distortion in every model but the fisheye ones.
    if rectified or not (np.any(coefficients) or is_fisheye(model)):
        model, coefficients = "", np.zeros(0)
    try:
        camera = Camera(width, height, k, coefficients, model)
        return replace(camera, centre=_centre(p)) if rectified else camera
    except InputError as error:
        raise InputError(f"{topic}: {info.width}x{info.height}, using {field}: {error}") from error


def info_from_camera(camera: Camera, header: Header) -> CameraInfo:
    """The CameraInfo of an unrectified, full-resolution image; P's fourth column holds the camera's `centre`."""
    info = CameraInfo(header=header, width=camera.width, height=camera.height)
    info.distortion_model = camera.model
    info.d = camera.d.tolist() or [0.0] * 5
    info.k = camera.k.ravel()
    info.r = np.eye(3).ravel()
    info.p = np.concatenate([camera.k, -camera.k @ camera.centre[:, None]], axis=1).ravel()
    return info


def describe_centre(camera: Camera, frame_id: str) -> str:
    """A log message on what P's fourth column means for positions; empty if the column is zero."""
    x, y, _ = camera.centre.tolist()
    if not (x or y):
        return ""
    return (
        f"P's fourth column puts the camera {x:+.4f} m right and {y:+.4f} m below the origin of {frame_id!r}, as for "
        f"the right camera of a stereo pair: positions are in {frame_id!r}. If that is this camera's own optical "
        "frame, set image_is_rectified to false (K is used; D of rectified images is zero) or publish P without it"
    )


def _scaled(matrix: FloatArray) -> FloatArray:
    """The homogeneous `matrix (3, n)` scaled so that its element [2, 2] is 1, as offsets in pixels require."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(matrix / matrix[2, 2] if matrix[2, 2] > 0 else matrix)


def _centre(p: FloatArray) -> FloatArray:
    """The optical centre `(3,)`, metres, in the frame whose points `p (3, 4)` projects: Tx = -fx * x."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.array([-p[0, 3] / p[0, 0], -p[1, 3] / p[1, 1], 0.0])
