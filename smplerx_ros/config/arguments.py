"""Command line options for the parameters, such as `--detection.interval 5` for `detection.interval`."""

from __future__ import annotations

import argparse
from typing import Any

from smplerx_ros.errors import ConfigError

from .parameter import Parameter, Value
from .table import PARAMETERS

PARAMETERS_GROUP = "parameters of the estimator (named as the ROS node's)"


def add_parameters(parser: argparse.ArgumentParser) -> None:
    """Add an option for each of the estimator's parameters, with the name and description of the table."""
    group = parser.add_argument_group(PARAMETERS_GROUP)
    for parameter in PARAMETERS:
        group.add_argument(
            f"--{parameter.name.replace('_', '-')}",
            dest=_key(parameter),
            metavar="A,B,..." if parameter.type is tuple else parameter.type.__name__.upper(),
            help=f"{parameter.description} [{parameter.allowed}; default {parameter.default!r}]".replace("%", "%%"),
        )


def given_parameters(arguments: argparse.Namespace) -> dict[str, Any]:
    """Parameters that were given on the command line, validated.

    Raises:
        ConfigError: If a value is invalid.
    """
    given = {parameter: getattr(arguments, _key(parameter)) for parameter in PARAMETERS}
    return {parameter.name: _parsed(parameter, text) for parameter, text in given.items() if text is not None}


def _parsed(parameter: Parameter, text: str) -> Value:
    try:
        if parameter.type is bool:
            return parameter.check({"true": True, "false": False}[text.lower()])
        if parameter.type is tuple:
            return parameter.check(text.split(",") if text else ())
        return parameter.check(parameter.type(text))
    except (KeyError, ValueError):
        raise ConfigError(f"parameter {parameter.name!r}: {text!r} cannot be parsed; use {parameter.allowed}") from None


def _key(parameter: Parameter) -> str:
    return f"parameter_{parameter.name}"
