"""Detect instruction set extensions of the processor."""

from __future__ import annotations

from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")  # Linux
_VNNI_FLAGS = {"avx512_vnni", "avx_vnni"}


def has_vnni(cpuinfo: Path = _CPUINFO) -> bool:
    """Whether an x86 processor accumulates 8-bit products in 32 bits (VNNI); False if that is unknown.

    Without VNNI, ONNX Runtime's 8-bit products saturate at 16 bits (VPMADDUBSW), which changes results.
    """
    try:
        flags = cpuinfo.read_text().partition("\nflags")[2].partition("\n")[0]
    except OSError:
        return False
    return not _VNNI_FLAGS.isdisjoint(flags.split())
