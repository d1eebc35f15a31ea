"""What the processor can multiply."""

from __future__ import annotations

from pathlib import Path

_LINUX_SAYS = Path("/proc/cpuinfo")
_NAMES = {"avx512_vnni", "avx_vnni"}  # in its line of flags


def has_vnni(cpuinfo: Path = _LINUX_SAYS) -> bool:
    """Whether an x86 processor sums products of 8-bit numbers in 32 bits (VNNI); False where nobody says.

    Without, ONNX Runtime's products of such numbers saturate at 16 bits (VPMADDUBSW) and answer otherwise.
    """
    try:
        flags = cpuinfo.read_text().partition("\nflags")[2].partition("\n")[0]
    except OSError:
        return False
    return not _NAMES.isdisjoint(flags.split())
