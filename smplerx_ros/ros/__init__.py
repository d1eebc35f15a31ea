"""The ROS 2 shell around the core: lifecycle node, subscriptions, publishers, message conversions and viewer."""

from typing import TYPE_CHECKING

from smplerx_ros._lazy import lazy

_PUBLIC = {"people_from_message": ".conversions.from_person_array"}

if TYPE_CHECKING:
    from .conversions.from_person_array import people_from_message as people_from_message
else:
    __getattr__, __dir__ = lazy(__name__, _PUBLIC)
