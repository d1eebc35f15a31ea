"""What the executables have in common."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

from smplerx_ros.errors import missing_package

Arguments = ParamSpec("Arguments")


def hide_numpy_warnings() -> None:
    """Do not print NumPy's RuntimeWarnings: results that are not finite are dropped, and logged by name.

    Python prints them if it is asked for warnings (`-W`, PYTHONWARNINGS).
    """
    if not sys.warnoptions:
        warnings.simplefilter("ignore", RuntimeWarning)


def executable(main: Callable[Arguments, int]) -> Callable[Arguments, int]:
    """Decorate an executable's main function: one line and exit code 1 if a package is missing."""

    @wraps(main)
    def run(*args: Arguments.args, **kwargs: Arguments.kwargs) -> int:
        hide_numpy_warnings()
        try:
            return main(*args, **kwargs)
        except ModuleNotFoundError as error:
            text = missing_package(error)
            if not text:
                raise
            sys.stderr.write(f"{text}\n")
            return 1

    return run
