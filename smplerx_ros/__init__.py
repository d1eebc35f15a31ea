"""Expressive human pose and shape (SMPL-X) from camera images, with and without ROS 2."""

from pkgutil import extend_path
from typing import TYPE_CHECKING

from .lazy import lazy

# The generated msg/ and srv/ of a sourced workspace join the modules of a source checkout.
__path__ = extend_path(__path__, __name__)
__version__ = "0.1.0"

# The public names and where they live: imported when first used, so that nobody pays for what they do not use.
_PUBLIC = {
    "Backbone": ".backbones",
    "BodyEstimate": ".types",
    "BodyModel": ".body",
    "Box": ".types",
    "Camera": ".geometry.camera",
    "ConfigError": ".errors",
    "Degradation": ".types",
    "Detector": ".detection",
    "DeviceError": ".errors",
    "DistanceSource": ".types",
    "Estimated": ".types",
    "Estimator": ".estimator",
    "Frame": ".types",
    "Gender": ".types",
    "InputError": ".errors",
    "Model": ".models.model",
    "ModelFileError": ".errors",
    "Observation": ".types",
    "Options": ".options",
    "People": ".types",
    "Person": ".types",
    "Prediction": ".models.prediction",
    "SmplerxError": ".errors",
    "SmplxParams": ".types",
    "load_body": ".body",
    "load_model": ".models.model",
}

if TYPE_CHECKING:
    from .backbones import Backbone as Backbone
    from .body import BodyModel as BodyModel
    from .body import load_body as load_body
    from .detection import Detector as Detector
    from .errors import ConfigError as ConfigError
    from .errors import DeviceError as DeviceError
    from .errors import InputError as InputError
    from .errors import ModelFileError as ModelFileError
    from .errors import SmplerxError as SmplerxError
    from .estimator import Estimator as Estimator
    from .geometry.camera import Camera as Camera
    from .models.model import Model as Model
    from .models.model import load_model as load_model
    from .models.prediction import Prediction as Prediction
    from .options import Options as Options
    from .types import BodyEstimate as BodyEstimate
    from .types import Box as Box
    from .types import Degradation as Degradation
    from .types import DistanceSource as DistanceSource
    from .types import Estimated as Estimated
    from .types import Frame as Frame
    from .types import Gender as Gender
    from .types import Observation as Observation
    from .types import People as People
    from .types import Person as Person
    from .types import SmplxParams as SmplxParams
else:
    __getattr__, __dir__ = lazy(__name__, _PUBLIC)
