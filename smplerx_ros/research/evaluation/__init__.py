"""Evaluation: error metrics, data sets with ground truth, and ground truth triangulated from several cameras."""

from typing import TYPE_CHECKING

from smplerx_ros._lazy import lazy

_PUBLIC = {
    "HumanData": ".humandata",
    "Keypoints": ".humandata",
    "read_humandata": ".humandata",
    "write_humandata": ".humandata",
}

if TYPE_CHECKING:
    from .humandata import HumanData as HumanData
    from .humandata import Keypoints as Keypoints
    from .humandata import read_humandata as read_humandata
    from .humandata import write_humandata as write_humandata
else:
    __getattr__, __dir__ = lazy(__name__, _PUBLIC)
