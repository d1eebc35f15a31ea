"""Extract the demo clip from the Sports2D wheel.

    pip download --no-deps sports2d==0.8.34
    python scripts/make_demo_clip.py sports2d-0.8.34-py3-none-any.whl

Keeps the frames in which the walking woman is entirely visible, at the source's frame rate, in 720p, without sound.
The exact bytes depend on the versions of x264 and FFmpeg (see NOTICE.md).
"""

from __future__ import annotations

import argparse
import hashlib
import io
import zipfile
from itertools import islice
from pathlib import Path

import av

SOURCE = "Sports2D/Demo/demo.mp4"
SOURCE_SHA256 = "d9a66417185647b112304b57093f0c180f37a768e6a14daca75ca541f3b78039"
FIRST, LAST = 64, 184  # frames of the source, the last one excluded: 4 s at 30 Hz
WIDTH, HEIGHT = 1280, 720
OPTIONS = {"crf": "23", "preset": "slow"}
TARGET = Path(__file__).resolve().parent.parent / "smplerx_ros" / "assets" / "demo_walk.mp4"


def main() -> None:
    """Read the wheel, verify its video, write the clip and print its hash."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--out", type=Path, default=TARGET)
    arguments = parser.parse_args()
    source = zipfile.ZipFile(arguments.wheel).read(SOURCE)
    if hashlib.sha256(source).hexdigest() != SOURCE_SHA256:
        raise SystemExit(f"{arguments.wheel}: {SOURCE} is not the file of sports2d 0.8.34")
    trim(source, arguments.out)
    clip = arguments.out.read_bytes()
    print(f"{arguments.out}: {len(clip)} bytes, SHA-256 {hashlib.sha256(clip).hexdigest()}")


def trim(source: bytes, target: Path) -> None:
    """Encode the chosen frames of the video `source` as H.264 into `target`."""
    with av.open(io.BytesIO(source)) as reader, av.open(target, "w", options={"movflags": "+faststart"}) as writer:
        track = reader.streams.video[0]
        stream = writer.add_stream("libx264", rate=track.average_rate, options=OPTIONS)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for tag in ("color_range", "colorspace", "color_primaries", "color_trc"):
            setattr(stream.codec_context, tag, getattr(track.codec_context, tag))
        stream.thread_count = 1  # makes the output of one x264 version identical on all machines
        for index, frame in enumerate(islice(reader.decode(track), FIRST, LAST)):
            small = frame.reformat(WIDTH, HEIGHT, "yuv420p", interpolation="AREA")
            image = av.VideoFrame.from_ndarray(small.to_ndarray(), format="yuv420p")
            image.pts = index
            writer.mux(stream.encode(image))
        writer.mux(stream.encode())


if __name__ == "__main__":
    main()
