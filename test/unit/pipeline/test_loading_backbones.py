"""Which backbones the parameters ask for: the configured one, then smaller ones to fall back on."""

from __future__ import annotations

from pathlib import Path

import pytest

from smplerx_ros.config.options import Options
from smplerx_ros.errors import ConfigError, ModelFileError
from smplerx_ros.pipeline.estimator import Estimator
from smplerx_ros.pipeline.loading import load_backbones
from support.bodies import standin

BODY = standin()


def test_lite_has_nothing_to_fall_back_on():
    with pytest.raises(ConfigError, match=r"'latency\.fallback_weights': backbone 'lite' has nothing to fall back on"):
        load_backbones(Options(latency_fallback_weights=("somewhere",)), BODY, bundles_only=True)


def test_a_bundle_that_is_not_there_is_named(s32_bundle: Path, tmp_path: Path):
    config = {"backbone": "s32", "weights": str(s32_bundle), "latency.fallback_weights": [str(tmp_path / "nothing")]}
    with pytest.raises(ModelFileError, match=r"parameter 'latency.fallback_weights'.*nothing"):
        load_backbones(Options.from_config(config), BODY, bundles_only=True)


def test_the_bundle_says_which_backbone_it_is(s32_bundle: Path):
    config = {
        "backbone": "s32",
        "weights": str(s32_bundle),
        "latency.fallback_weights": [str(s32_bundle)],
        "device": "cpu",
    }
    loaded = load_backbones(Options.from_config(config), BODY, bundles_only=True)
    assert [backbone.name for backbone in loaded] == ["s32", "s32"]
    Estimator.from_config(config, bundles_only=True).warm_up()
