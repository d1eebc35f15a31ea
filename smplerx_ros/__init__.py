"""Expressive human pose and shape (SMPL-X) from camera images, with and without ROS 2."""

from pkgutil import extend_path

# The generated msg/ and srv/ of a sourced workspace join the modules of a source checkout.
__path__ = extend_path(__path__, __name__)
__version__ = "0.1.0"
