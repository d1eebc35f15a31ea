"""Video files with typical defects, written by PyAV."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

RATE = 25


def picture(number: int, height: int = 48, width: int = 64) -> np.ndarray:
    """Create a grey image whose brightness encodes a number (0..21), with a red and a blue quarter for orientation."""
    image = np.full((height, width, 3), 20 + 10 * number, np.uint8)
    image[: height // 2, : width // 2] = (230, 20, 20)
    image[height // 2 :, width // 2 :] = (20, 20, 230)
    return image


def number_of(image: np.ndarray) -> int:
    """Decode the number of an upright `picture` of any size."""
    height, width = image.shape[:2]
    grey = image[: height // 2, width // 2 :]
    return round((float(grey[height // 8 : -height // 8, width // 8 : -width // 8].mean()) - 20) / 10)


def is_upright(image: np.ndarray) -> bool:
    """Return whether the coloured quarters of a `picture` are in their places."""
    height, width = image.shape[:2]
    red, blue = image[height // 4, width // 4].astype(int), image[3 * height // 4, 3 * width // 4].astype(int)
    return bool(red[0] > 180 and red[2] < 80 and blue[2] > 180 and blue[0] < 80)


def write_film(
    path: Path,
    images: Sequence[np.ndarray],
    times: Sequence[float] | None = None,
    *,
    codec: str = "mjpeg",
    aspect: Fraction | None = None,
    options: dict[str, str] | None = None,
    metadata: dict[str, str] | None = None,
) -> Path:
    """Write a video with one track; `times` in seconds, in any order that the container supports."""
    with av.open(str(path), "w", options={"movflags": "+faststart"} if path.suffix == ".mp4" else {}) as container:
        container.metadata.update(metadata or {})
        stream = add_track(container, images[0], codec, options)
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        for packet in encoded(stream, images):
            if times is not None:
                assert packet.pts is not None
                packet.pts = packet.dts = round(times[round(packet.pts * packet.time_base * RATE)] / packet.time_base)
            container.mux(packet)
    return path


def add_track(container: Any, image: np.ndarray, codec: str, options: dict[str, str] | None = None) -> Any:
    stream = container.add_stream(codec, rate=RATE, options=options or {})
    stream.height, stream.width = image.shape[:2]
    stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    return stream


def encoded(stream: Any, images: Sequence[np.ndarray]) -> list[Any]:
    """Encode all packets of a track."""
    packets: list[Any] = []
    for index, image in enumerate(images):
        frame = av.VideoFrame.from_ndarray(image, format="rgb24")
        frame.pts, frame.time_base = index, Fraction(1, RATE)
        packets += stream.encode(frame)
    return packets + stream.encode(None)


def packet_places(path: Path) -> list[tuple[int, int]]:
    """Return the offset and size in bytes of each packet, in file order."""
    with av.open(str(path)) as container:
        return sorted((packet.pos, packet.size) for packet in container.demux(video=0) if packet.size)


def with_matrix(data: bytes, rows: Sequence[Sequence[int]]) -> bytes:
    """Replace the display matrix of an MP4 with one track: `rows ((a, b), (c, d))` (ISO 14496-12, 8.3.2)."""
    (a, b), (c, d) = rows
    upright = _fixed_point(1, 0, 0, 1)
    offset = data.index(b"tkhd") + 4 + 4 + 20 + 8 + 8  # after version, times and ids, layer and volume
    assert data[offset : offset + len(upright)] == upright
    return data[:offset] + _fixed_point(a, b, c, d) + data[offset + len(upright) :]


def _fixed_point(a: int, b: int, c: int, d: int) -> bytes:
    """Encode in 16.16 fixed point, the last column in 2.30."""
    return b"".join(
        (n & 0xFFFFFFFF).to_bytes(4, "big") for n in (a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30)
    )
