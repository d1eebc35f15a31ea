"""Exceptions of the package; each message says what is wrong, where, and what to do about it."""

from types import MappingProxyType

# How to install a package, by the name of its module.
_INSTALL = MappingProxyType(
    {
        "onnxruntime": "pip install --no-deps onnxruntime (docs/installation.md says where)",
        "av": "pip install 'av>=14.2'",
        "viser": "pip install viser",
        "cv2": "sudo apt install python3-opencv",
        "scipy": "sudo apt install python3-scipy",
        "PIL": "sudo apt install python3-pil",
    }
)


class SmplerxError(Exception):
    """Base class of all errors that this package raises deliberately."""


class InputError(SmplerxError):
    """An unusable image, camera or detection; the next one may be valid."""


class ConfigError(SmplerxError):
    """A parameter or option with an invalid value; the message names it."""


class ModelFileError(SmplerxError):
    """A body model, network or checkpoint file that is missing, damaged or of the wrong kind."""


class DeviceError(SmplerxError):
    """The device that runs the networks has failed, or its memory does not suffice for a single person."""


def missing_package(error: BaseException) -> str:
    """Say which package a ModuleNotFoundError is about and how to install it; empty if it is not about one of ours."""
    module = (getattr(error, "name", None) or "").partition(".")[0]
    if not isinstance(error, ModuleNotFoundError) or module not in _INSTALL:
        return ""
    return f"the Python package {module!r} is not installed: {_INSTALL[module]} (docs/installation.md)"


def printable(text: object) -> str:
    """Escape control characters (except line breaks), so that names and messages from files cannot drive a terminal."""
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in str(text))
