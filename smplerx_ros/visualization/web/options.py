"""Parameters of the web viewer, which is a process of its own with its own table."""

from __future__ import annotations

from smplerx_ros.config.parameter import Parameter
from smplerx_ros.config.table import IMAGE_TRANSPORT

VIEWER_PARAMETERS: tuple[Parameter, ...] = (
    Parameter(
        "host",
        str,
        "127.0.0.1",
        "Address to serve on; 0.0.0.0 admits everyone on the network: there is no login.",
    ),
    # Not viser's own 8080, where web_video_server serves.
    Parameter("port", int, 8090, "Port to serve on; the next free one if it is in use.", range=(0, 65535)),
    Parameter("body_model", str, "", "The node's `body_model`. Empty: the embedded stand-in body."),
    IMAGE_TRANSPORT,
    Parameter(
        "target_frame",
        str,
        "",
        "The node's `target_frame`: people are shown in it, z up, without the camera. Empty: in the camera's frame.",
    ),
    Parameter("rate", float, 15.0, "Maximum number of frames to show per second.", range=(0.1, 60.0)),
)
