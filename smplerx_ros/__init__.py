"""Expressive human pose and shape (SMPL-X) from camera images, with and without ROS 2."""

from importlib import import_module
from pkgutil import extend_path
from typing import TYPE_CHECKING

# The generated msg/ and srv/ of a sourced workspace join the modules of a source checkout.
__path__ = extend_path(__path__, __name__)
__version__ = "0.1.0"

# The public names and where they live: imported when first used, so that nobody pays for what they do not use.
_PUBLIC = {
    "Box": ".types",
    "Camera": ".geometry.camera",
    "Estimated": ".types",
    "Estimator": ".estimator",
    "Frame": ".types",
    "People": ".estimator",
    "Person": ".types",
    "SmplxParams": ".types",
    "load_body": ".body",
    "load_model": ".models.model",
}

if TYPE_CHECKING:
    from .body import load_body as load_body
    from .estimator import Estimator as Estimator
    from .estimator import People as People
    from .geometry.camera import Camera as Camera
    from .models.model import load_model as load_model
    from .types import Box as Box
    from .types import Estimated as Estimated
    from .types import Frame as Frame
    from .types import Person as Person
    from .types import SmplxParams as SmplxParams


def __getattr__(name: str) -> object:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name], __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC})
