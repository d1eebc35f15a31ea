"""sensor_msgs/CameraInfo to a Camera of the image as it arrives, by REP-104."""

from __future__ import annotations

import numpy as np
from sensor_msgs.msg import CameraInfo

from ..errors import InputError
from ..geometry.camera import Camera

# Names in the wild for what OpenCV's fisheye module models, and for no distortion at all.
_MODEL_ALIASES = {"fisheye": "equidistant", "kannala_brandt4": "equidistant", "none": "", "None": ""}
_LONGEST_MODEL = 40  # characters of a name that may be anything, and that errors repeat


def camera_from_info(info: CameraInfo, topic: str, *, rectified: bool = False) -> Camera:
    """The camera of the delivered image: region of interest cut out and binning applied.

    `rectified`: the image is undistorted, so P counts and D does not. Raises InputError naming topic and field.
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
    k = np.array(info.p).reshape(3, 4)[:, :3] if rectified else np.array(info.k).reshape(3, 3)
    k = k.copy()
    k[:2, 2] -= offset  # REP-104: K is of the full-resolution image
    k[:2] /= binning[:, None]
    width, height = (size // binning).tolist()
    model = _MODEL_ALIASES.get(info.distortion_model, info.distortion_model)[:_LONGEST_MODEL]
    coefficients = np.array(info.d, dtype=np.float64)
    fisheye = model == "equidistant" and len(coefficients) > 0  # bends rays even with zeros
    if rectified or not (fisheye or np.any(coefficients)):
        model, coefficients = "plumb_bob", np.zeros(0)
    try:
        return Camera(width, height, k, coefficients, model)
    except InputError as error:
        raise InputError(f"{topic}: {info.width}x{info.height}, using {field}: {error}") from error
