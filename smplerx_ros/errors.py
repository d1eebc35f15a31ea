"""Errors a user can act on: each message names what was wrong, where, and what to do."""


class SmplerxError(Exception):
    """Base of all errors raised on purpose by this package."""


class InputError(SmplerxError):
    """An image, camera or detection that cannot be used; the next one may be fine."""


class ConfigError(SmplerxError):
    """A parameter or option with an unusable value; names the parameter."""


class ModelFileError(SmplerxError):
    """A body model, network or checkpoint file that is missing, damaged or of another kind."""


class DeviceError(SmplerxError):
    """The device that runs the networks has failed, or its memory does not hold even one person."""


def printable(text: object) -> str:
    """`text` with its control characters but line breaks, terminal codes among them, written as Python escapes them.

    For names and reasons that come from files.
    """
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in str(text))
