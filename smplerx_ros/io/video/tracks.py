"""Which track of a file is the film: not the cover of the album, nor a still."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from smplerx_ros.errors import InputError

PROBED_PACKETS = 2000  # of all video tracks, to see which of them go on; some 30 s of two tracks


def open_container(path: Path) -> Any:
    """PyAV's container of a file; raises what PyAV raises."""
    import av

    name = f"file:{path}"  # a colon in the name is part of it
    try:
        return av.open(name)
    except UnicodeDecodeError:  # of titles and the like, before PyAV 19: no reason to refuse a film
        return av.open(name, metadata_errors="replace")


def film_track(container: Any, path: Path) -> Any:
    """PyAV's stream of the film in `container`, opened from `path`.

    The first with more than one frame, the file's default before others.
    Raises InputError where there is no video track, or only attached pictures.
    """
    from av.stream import Disposition

    pictures = Disposition.attached_pic | Disposition.timed_thumbnails
    tracks = [stream for stream in container.streams.video if stream.codec_context is not None]
    films = [stream for stream in tracks if not stream.disposition & pictures]
    if not films:
        what = "only an attached picture, no film" if tracks else "no video track that can be decoded"
        raise InputError(f"{path}: holds {what}")
    if len(films) > 1:
        counts = _frame_counts(films, path)
        films = [stream for stream in films if counts[stream.index] > 1] or films
    return next((stream for stream in films if stream.disposition & Disposition.default), films[0])


def _frame_counts(films: list[Any], path: Path) -> dict[int, int]:
    """How many frames each of the tracks has, by index; where the file does not tell, up to 2 are counted."""
    import av

    counts = {stream.index: stream.frames for stream in films}
    silent = {index for index, count in counts.items() if not count}
    if silent:
        try:
            with open_container(path) as container:
                for number, packet in enumerate(container.demux([container.streams[index] for index in silent])):
                    counts[packet.stream.index] += packet.size > 0
                    if number >= PROBED_PACKETS or all(counts[index] > 1 for index in silent):
                        break
        except (av.error.FFmpegError, ValueError):
            pass  # what was counted before the damage counts
    return counts
