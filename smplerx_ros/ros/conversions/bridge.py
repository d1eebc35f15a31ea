"""cv_bridge, where it is installed and works: builds of it for another NumPy cannot be imported, or convert wrongly."""

from __future__ import annotations

import array
import logging
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from sensor_msgs.msg import Image

_LOG = logging.getLogger(__name__)


@cache
def cv_bridge_converter() -> Callable[[Image], Any] | None:
    """What makes RGB of a message, or None where cv_bridge is not there or fails a small test; looked up once."""
    try:
        from cv_bridge import CvBridge

        bridge = CvBridge()
        blue = Image(height=1, width=2, encoding="bgr8", step=6, data=array.array("B", [255, 0, 0, 255, 0, 0]))
        if np.array_equal(bridge.imgmsg_to_cv2(blue, "rgb8"), [[[0, 0, 255]] * 2]):
            return lambda message: bridge.imgmsg_to_cv2(message, "rgb8")
        _LOG.warning("cv_bridge converts wrongly and is not used")
    except ModuleNotFoundError:
        pass
    except Exception as error:  # an extension for another NumPy raises more than ImportError
        _LOG.warning("cv_bridge is there but cannot be used: %s", error)
    return None
