"""Select the video track of a file, as opposed to cover art and still images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from smplerx_ros.errors import InputError

PROBED_PACKETS = 2000  # of all video tracks, to see which have several frames; some 30 s of two tracks


def open_container(path: Path) -> Any:
    """Open a file as a PyAV container; PyAV's exceptions are passed on."""
    import av

    name = f"file:{path}"  # otherwise FFmpeg takes a name with a colon for a URL
    try:
        return av.open(name)
    except UnicodeDecodeError:  # in titles and other metadata, before PyAV 19
        return av.open(name, metadata_errors="replace")


def video_track(container: Any, path: Path) -> Any:
    """Select the video stream of a PyAV container, which was opened from `path`.

    It is the first with more than one frame; the file's default stream takes precedence.

    Raises:
        InputError: If there is no video track, or only attached pictures.
    """
    from av.stream import Disposition

    pictures = Disposition.attached_pic | Disposition.timed_thumbnails
    tracks = [stream for stream in container.streams.video if stream.codec_context is not None]
    films = [stream for stream in tracks if not stream.disposition & pictures]
    if not films:
        what = "only an attached picture" if tracks else "no video track that can be decoded"
        raise InputError(f"{path}: contains {what}")
    if len(films) > 1:
        counts = _frame_counts(films, path)
        films = [stream for stream in films if counts[stream.index] > 1] or films
    return next((stream for stream in films if stream.disposition & Disposition.default), films[0])


def _frame_counts(films: list[Any], path: Path) -> dict[int, int]:
    """Number of frames of each track, by index; if the file does not declare it, counted up to 2."""
    import av

    counts = {stream.index: stream.frames for stream in films}
    undeclared = {index for index, count in counts.items() if not count}
    if undeclared:
        try:
            with open_container(path) as container:
                for number, packet in enumerate(container.demux([container.streams[index] for index in undeclared])):
                    counts[packet.stream.index] += packet.size > 0
                    if number >= PROBED_PACKETS or all(counts[index] > 1 for index in undeclared):
                        break
        except (av.error.FFmpegError, ValueError):
            pass  # keep the counts before the damage
    return counts
