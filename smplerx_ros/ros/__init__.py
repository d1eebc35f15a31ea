"""The shell around the core: the node, its conversions between messages and the package's types, and the demo."""

from typing import TYPE_CHECKING

from smplerx_ros._lazy import lazy

_PUBLIC = {"people_from_message": ".conversions.from_person_array"}

if TYPE_CHECKING:
    from .conversions.from_person_array import people_from_message as people_from_message
else:
    __getattr__, __dir__ = lazy(__name__, _PUBLIC)
