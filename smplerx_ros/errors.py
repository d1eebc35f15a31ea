"""Exceptions of the package; each message says what is wrong, where, and what to do about it."""


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


def printable(text: object) -> str:
    """Escape control characters (except line breaks), so that names and messages from files cannot drive a terminal."""
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in str(text))
