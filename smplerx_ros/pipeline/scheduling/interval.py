"""How far images of one camera usually are apart: what is a gap at 30 images a second is none at one."""

from __future__ import annotations

from collections import deque
from statistics import median_low

_REMEMBERED = 5  # intervals; a gap among them does not change their median
_LONGEST_IN_INTERVALS = 2.5  # one image may be missing


class ImageInterval:
    """The usual time between images, by their stamps."""

    def __init__(self) -> None:
        self._last_ns: int | None = None
        self._intervals_ns: deque[int] = deque(maxlen=_REMEMBERED)

    def seen(self, stamp_ns: int) -> None:
        """An image came; repeated stamps, and steps back, are no intervals. Not for stamps that are none (0)."""
        if self._last_ns is not None and stamp_ns > self._last_ns:
            self._intervals_ns.append(stamp_ns - self._last_ns)
        self._last_ns = stamp_ns

    def longest_gap_ns(self, least_ns: int, most_ns: int | None = None) -> int:
        """After so long without images something is over: `least_ns`, or longer where images are rare.

        Never longer than `most_ns`: of the first interval nobody knows whether it is the usual one.
        """
        usual = median_low(self._intervals_ns) if self._intervals_ns else 0
        gap_ns = max(least_ns, round(_LONGEST_IN_INTERVALS * usual))
        return gap_ns if most_ns is None else min(gap_ns, most_ns)
