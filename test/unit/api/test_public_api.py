"""The public API is what docs/public_api.txt says; a change that is meant is made by scripts/list_public_api.py."""

from __future__ import annotations

import importlib.util

from support.paths import ROOT

SCRIPT = ROOT / "scripts" / "list_public_api.py"


def test_nothing_has_changed_unnoticed() -> None:
    spec = importlib.util.spec_from_file_location("list_public_api", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    assert script.listing().splitlines() == script.FILE.read_text(encoding="utf-8").splitlines()
