"""Expressive human pose and shape (SMPL-X) from camera images, with and without ROS 2."""

from pkgutil import extend_path
from typing import TYPE_CHECKING

from ._lazy import lazy

# The generated msg/ and srv/ of a sourced workspace join the modules of a source checkout.
__path__ = extend_path(__path__, __name__)
__version__ = "0.1.0"

# The public names and where they live: imported when first used, so that nobody pays for what they do not use.
_PUBLIC = {
    "Backbone": ".backbones.backbone",
    "BodyEstimate": ".types",
    "BodyModel": ".body",
    "Box": ".geometry.boxes",
    "Camera": ".geometry.camera",
    "ConfigError": ".errors",
    "Degradation": ".types",
    "Detector": ".detection",
    "DeviceError": ".errors",
    "DistanceSource": ".types",
    "Estimated": ".types",
    "Estimator": ".pipeline.estimator",
    "Frame": ".types",
    "Gender": ".types",
    "InputError": ".errors",
    "Model": ".backbones.smpler_x.model",
    "ModelFileError": ".errors",
    "Observation": ".types",
    "Options": ".config.options",
    "People": ".types",
    "Person": ".types",
    "Prediction": ".backbones.smpler_x.prediction",
    "SmplerxError": ".errors",
    "SmplxParams": ".types",
    "load_body": ".body",
    "load_model": ".backbones.smpler_x.loading",
}

if TYPE_CHECKING:
    from .backbones.backbone import Backbone as Backbone
    from .backbones.smpler_x.loading import load_model as load_model
    from .backbones.smpler_x.model import Model as Model
    from .backbones.smpler_x.prediction import Prediction as Prediction
    from .body import BodyModel as BodyModel
    from .body import load_body as load_body
    from .config.options import Options as Options
    from .detection import Detector as Detector
    from .errors import ConfigError as ConfigError
    from .errors import DeviceError as DeviceError
    from .errors import InputError as InputError
    from .errors import ModelFileError as ModelFileError
    from .errors import SmplerxError as SmplerxError
    from .geometry.boxes import Box as Box
    from .geometry.camera import Camera as Camera
    from .pipeline.estimator import Estimator as Estimator
    from .types import BodyEstimate as BodyEstimate
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
