"""Every parameter of the estimator arrives where it acts: by `from_config`, by `update`, from the command line."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

import pytest

from smplerx_ros.config.arguments import add_parameters, given_parameters
from smplerx_ros.config.table import PARAMETERS
from smplerx_ros.pipeline.estimator import Estimator
from support.arrival import ESTIMATOR, NO_DEFAULT, replace_loaders

TABLE = {parameter.name: parameter for parameter in PARAMETERS}


@pytest.fixture(autouse=True)
def loaders(monkeypatch: pytest.MonkeyPatch) -> None:
    replace_loaders(monkeypatch)


def seen(name: str, values: Mapping[str, Any], later: Mapping[str, Any] | None = None) -> Any:
    with Estimator.from_config(values) as estimator:
        if later:
            estimator.update(later)
        return ESTIMATOR[name].seen(estimator)


def test_the_table_has_an_entry_for_each_parameter_with_another_value() -> None:
    assert set(ESTIMATOR) == set(TABLE)
    for name, entry in ESTIMATOR.items():
        assert TABLE[name].check(entry.value) != TABLE[name].default


@pytest.mark.parametrize("name", TABLE)
def test_a_parameter_arrives(name: str) -> None:
    entry = ESTIMATOR[name]
    beside = dict(entry.beside) | ({name: NO_DEFAULT[name]} if name in NO_DEFAULT else {})
    usual, other = seen(name, beside), seen(name, beside | {name: entry.value})
    assert other != usual
    if TABLE[name].live:
        assert seen(name, beside, {name: entry.value}) == other


@pytest.mark.parametrize("name", TABLE)
def test_the_command_line_reads_it(name: str) -> None:
    parser = argparse.ArgumentParser()
    add_parameters(parser)
    value = ESTIMATOR[name].value
    text = ",".join(value) if isinstance(value, tuple) else str(value)
    assert given_parameters(parser.parse_args([f"--{name.replace('_', '-')}", text])) == {name: value}
