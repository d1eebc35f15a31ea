"""What the processor can multiply, and what ONNX Runtime is told of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from smplerx_ros.runtime import onnx
from smplerx_ros.runtime.processor import has_vnni

CPUINFO = "processor\t: 0\nmodel name\t: avx512_vnni\nflags\t\t: fpu sse avx2 {flag} fma\nbugs\t\t: avx_vnni\n\n"


@pytest.mark.parametrize(
    ("flag", "expected"), [("avx512_vnni", True), ("avx_vnni", True), ("avx512f", False), ("no_avx_vnni", False)]
)
def test_the_flags_tell(tmp_path: Path, flag: str, expected: bool) -> None:
    file = tmp_path / "cpuinfo"
    file.write_text(CPUINFO.format(flag=flag) * 2)
    assert has_vnni(file) is expected


@pytest.mark.parametrize("content", [None, "", "Features\t: fp asimd asimddp\n"])
def test_where_nobody_says(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "cpuinfo"
    if content is not None:
        file.write_text(content)
    assert not has_vnni(file)


def test_without_it_products_must_not_overflow(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = "session.x64quantprecision"
    monkeypatch.setattr(onnx, "has_vnni", lambda: False)
    assert onnx.session_options(1).get_session_config_entry(entry) == "1"
    monkeypatch.setattr(onnx, "has_vnni", lambda: True)
    with pytest.raises(RuntimeError, match=entry):
        onnx.session_options(1).get_session_config_entry(entry)
