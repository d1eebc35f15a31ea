from __future__ import annotations

import os
from fractions import Fraction
from importlib.resources import files
from pathlib import Path

import av
import numpy as np
import pytest

from smplerx_ros.errors import InputError
from smplerx_ros.io.video import VideoReader
from support.films import (
    RATE,
    add_track,
    encoded,
    is_upright,
    number_of,
    packet_places,
    picture,
    with_matrix,
    write_film,
)

CLIP = Path(str(files("smplerx_ros"))) / "assets" / "demo_walk.mp4"
NUMBERS = list(range(20))
FILM = [picture(number) for number in NUMBERS]
B_FRAMES = {"bf": "2", "x264-params": "keyint=5:scenecut=0:b-adapt=0"}
# All ways to hold or mirror a picture: rows of the matrix, and how a picture is stored that it shows upright.
HELD = [
    (((1, 0), (0, 1)), lambda image: image),
    (((-1, 0), (0, 1)), lambda image: image[:, ::-1]),
    (((1, 0), (0, -1)), lambda image: image[::-1]),
    (((-1, 0), (0, -1)), lambda image: image[::-1, ::-1]),
    (((0, 1), (-1, 0)), lambda image: np.rot90(image)),
    (((0, -1), (1, 0)), lambda image: np.rot90(image, -1)),
    (((0, 1), (1, 0)), lambda image: image.transpose(1, 0, 2)),
    (((0, -1), (-1, 0)), lambda image: np.rot90(image.transpose(1, 0, 2), 2)),
]


def read(path):
    with VideoReader(path) as reader:
        frames = list(reader)
        return frames, reader


def numbers(frames):
    return [number_of(frame.image) for frame in frames]


def seconds(frames):
    return [frame.seconds for frame in frames]


def test_frames_come_in_order_with_their_times(tmp_path):
    frames, reader = read(write_film(tmp_path / "v.mp4", FILM, codec="libx264"))
    assert numbers(frames) == NUMBERS
    assert all(is_upright(frame.image) for frame in frames)
    np.testing.assert_allclose(seconds(frames), np.array(NUMBERS) / RATE, atol=1e-3)
    assert (reader.rate, reader.length, reader.damage) == (pytest.approx(RATE), 20, "")


def test_a_repeated_time_goes_between_its_neighbours(tmp_path):
    times = np.array(NUMBERS) / RATE
    times[5] = times[4]
    frames, _ = read(write_film(tmp_path / "v.mkv", FILM, times))
    assert numbers(frames) == NUMBERS
    np.testing.assert_allclose(seconds(frames), np.array(NUMBERS) / RATE, atol=2e-3)


def test_behind_times_that_go_back_the_film_goes_on(tmp_path):
    part = write_film(tmp_path / "part.ts", FILM[:10], codec="mpeg2video").read_bytes()
    (tmp_path / "v.ts").write_bytes(part + part)
    frames, _ = read(tmp_path / "v.ts")
    assert numbers(frames) == NUMBERS[:10] * 2
    np.testing.assert_allclose(seconds(frames), np.array(NUMBERS) / RATE, atol=1e-3)


def test_a_film_may_change_its_size(tmp_path):
    large = write_film(tmp_path / "1.ts", FILM[:5], codec="libx264").read_bytes()
    small = [picture(number, 96, 48) for number in NUMBERS[5:10]]
    (tmp_path / "v.ts").write_bytes(large + write_film(tmp_path / "2.ts", small, codec="libx264").read_bytes())
    frames, _ = read(tmp_path / "v.ts")
    assert numbers(frames) == NUMBERS[:10]
    assert [frame.image.shape[:2] for frame in frames] == [(48, 64)] * 5 + [(96, 48)] * 5


@pytest.mark.parametrize(("height", "width"), [(48, 1), (1, 48), (1, 1)])
def test_a_film_one_pixel_wide(tmp_path, height, width):
    frames, _ = read(write_film(tmp_path / "v.mkv", [np.full((height, width, 3), 99, np.uint8)] * 3))
    assert [frame.image.shape for frame in frames] == [(height, width, 3)] * 3


def test_a_damaged_packet_costs_its_own_frames(tmp_path):
    options = {"bf": "0", "x264-params": "keyint=5:scenecut=0"}
    path = write_film(tmp_path / "v.mp4", FILM, codec="libx264", options=options)
    data = bytearray(path.read_bytes())
    place, size = packet_places(path)[7]
    data[place : place + size] = b"\xff" * size
    path.write_bytes(data)
    frames, reader = read(path)
    assert len(frames) >= 19
    assert numbers(frames)[:7] == NUMBERS[:7]
    assert numbers(frames)[-10:] == NUMBERS[-10:]  # from the next key frame on
    np.testing.assert_allclose(seconds(frames)[-10:], np.array(NUMBERS[-10:]) / RATE, atol=1e-3)
    assert "damaged after frame 7" in reader.damage


def test_a_film_that_breaks_off_gives_what_the_decoder_holds(tmp_path):
    path = write_film(tmp_path / "v.mp4", FILM, codec="libx264", options=B_FRAMES)
    place, size = packet_places(path)[12]
    path.write_bytes(path.read_bytes()[: place + size // 2])
    frames, reader = read(path)
    assert len(frames) >= 12  # one for each packet that is whole
    assert numbers(frames)[:9] == NUMBERS[:9]
    assert reader.damage


@pytest.mark.parametrize("suffix", ["avi", "mkv"])
@pytest.mark.parametrize("codec", ["mjpeg", "libx264"])
def test_a_film_cut_between_two_packets_is_known_by_its_length(tmp_path, suffix, codec):
    path = write_film(tmp_path / f"v.{suffix}", FILM * 3, codec=codec)
    assert read(path)[1].damage == ""
    place, _ = packet_places(path)[30]
    path.write_bytes(path.read_bytes()[: place - 8])
    frames, reader = read(path)
    assert 0 < len(frames) <= 30
    assert "damaged after frame" in reader.damage


def test_packets_lost_from_a_transport_stream_are_reported(tmp_path):
    path = write_film(tmp_path / "v.ts", FILM * 3, codec="libx264")
    assert read(path)[1].damage == ""
    data = bytearray(path.read_bytes())
    half = len(data) // 2 // 188 * 188
    path.write_bytes(data[:half] + data[half + 10 * 188 :])
    assert "corrupt" in read(path)[1].damage


def test_two_films_in_one_file_are_no_damage(tmp_path):
    part = write_film(tmp_path / "part.ts", FILM[:10], codec="libx264").read_bytes()
    (tmp_path / "v.ts").write_bytes(part + part)
    assert read(tmp_path / "v.ts")[1].damage == ""


def test_sound_that_is_longer_than_the_film_is_no_damage(tmp_path):
    with av.open(str(tmp_path / "v.mkv"), "w") as container:
        film = add_track(container, FILM[0], "mpeg4")
        sound = container.add_stream("pcm_s16le", rate=8000)
        sound.layout = "mono"
        for packet in encoded(film, FILM):
            container.mux(packet)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 80000), np.int16), layout="mono")
        frame.sample_rate = 8000
        frame.pts = 0
        for packet in [*sound.encode(frame), *sound.encode(None)]:
            container.mux(packet)
    assert read(tmp_path / "v.mkv")[1].damage == ""


@pytest.mark.parametrize(("matrix", "stored"), HELD)
def test_it_is_shown_as_it_was_held(tmp_path, matrix, stored):
    images = [np.ascontiguousarray(stored(picture(number))) for number in (3, 7)]
    path = write_film(tmp_path / "v.mp4", images, codec="libx264")
    path.write_bytes(with_matrix(path.read_bytes(), matrix))
    frames, _ = read(path)
    assert [frame.image.shape for frame in frames] == [(48, 64, 3)] * 2
    assert all(is_upright(frame.image) for frame in frames)
    assert numbers(frames) == [3, 7]
    assert frames[0].image.flags.c_contiguous


@pytest.mark.parametrize(
    ("aspect", "shape"), [((64, 45), (48, 91)), ((1, 2), (96, 64)), ((1, 1), (48, 64)), ((900, 1), (48, 64))]
)
def test_pixels_become_square(tmp_path, aspect, shape):
    path = write_film(tmp_path / "v.mp4", FILM[:3], codec="libx264", aspect=Fraction(*aspect))
    frames, _ = read(path)
    assert [frame.image.shape[:2] for frame in frames] == [shape] * 3
    assert all(is_upright(frame.image) for frame in frames)


def test_pixels_that_change_their_shape(tmp_path):
    wide = write_film(tmp_path / "1.ts", FILM[:3], codec="libx264", aspect=Fraction(4, 3)).read_bytes()
    (tmp_path / "v.ts").write_bytes(wide + write_film(tmp_path / "2.ts", FILM[:3], codec="libx264").read_bytes())
    frames, _ = read(tmp_path / "v.ts")
    assert [frame.image.shape[:2] for frame in frames] == [(48, 85)] * 3 + [(48, 64)] * 3


@pytest.mark.parametrize(
    ("suffix", "cover"), [("mp4", False), ("mkv", False), ("ts", False), ("mp4", True), ("mkv", True)]
)
def test_the_film_is_not_the_still_before_it(tmp_path, suffix, cover):
    with av.open(str(tmp_path / f"v.{suffix}"), "w") as container:
        codec = "mpeg2video" if suffix == "ts" else "mjpeg"
        still = add_track(container, np.zeros((80, 80, 3), np.uint8), codec)
        if cover:
            still.disposition = av.stream.Disposition.attached_pic.value
        film = add_track(container, FILM[0], "mpeg4" if suffix == "mp4" else "mpeg2video")
        packets = [*encoded(still, [np.full((80, 80, 3), 200, np.uint8)]), *encoded(film, FILM)]
        for packet in packets:
            container.mux(packet)
    frames, reader = read(tmp_path / f"v.{suffix}")
    assert numbers(frames) == NUMBERS
    assert reader.rate == pytest.approx(RATE)


def test_a_song_with_a_cover_is_no_film(tmp_path):
    with av.open(str(tmp_path / "v.mp4"), "w") as container:
        cover = add_track(container, FILM[0], "mjpeg")
        cover.disposition = av.stream.Disposition.attached_pic.value
        for packet in encoded(cover, FILM[:1]):
            container.mux(packet)
    with pytest.raises(InputError, match="only an attached picture"):
        VideoReader(tmp_path / "v.mp4")


def test_names_and_titles_in_any_encoding(tmp_path):
    path = write_film(tmp_path / "12:30 100%02d.mkv", FILM[:2], metadata={"title": "Caf\xe9"})
    data = path.read_bytes()
    assert "Caf\xe9".encode() in data
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.mkv"))
    odd.write_bytes(data.replace("Caf\xe9".encode(), b"Caf\xe9!"))
    assert numbers(read(path)[0]) == numbers(read(odd)[0]) == [0, 1]


@pytest.mark.parametrize("content", [b"", b"not a video" * 100])
def test_what_is_no_video_is_refused_by_name(tmp_path, content):
    path = tmp_path / "v.mp4"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"v\.mp4: not a video"):
        VideoReader(path)


def test_a_folder_and_nothing_at_all_are_called_so(tmp_path):
    with pytest.raises(InputError, match="a folder, expected a file"):
        VideoReader(tmp_path)
    with pytest.raises(InputError, match="no such file"):
        VideoReader(tmp_path / "v.mp4")
    with pytest.raises(InputError, match="File name too long"):
        VideoReader(tmp_path / ("x" * 300))


def test_a_film_of_nothing_but_damage_is_refused(tmp_path):
    path = write_film(tmp_path / "v.mkv", FILM[:3])
    data = bytearray(path.read_bytes())
    for place, size in packet_places(path):
        start = data.index(b"\xff\xd8", place)
        data[start : start + size] = bytes(size)
    path.write_bytes(data)
    with (
        pytest.raises(InputError, match=r"no frame that can be decoded \(damaged after frame 0"),
        VideoReader(path) as r,
    ):
        list(r)


def test_an_old_pyav_is_refused(tmp_path, monkeypatch):
    path = write_film(tmp_path / "v.mkv", FILM[:2])
    monkeypatch.setattr(av, "__version__", "14.1.0")
    with pytest.raises(InputError, match=r"needs PyAV 14\.2 or newer, this is 14\.1\.0"):
        VideoReader(path)


def test_the_demo_clip_is_what_the_notice_says():
    assert CLIP.stat().st_size <= 2_000_000
    with VideoReader(CLIP) as reader:
        assert reader.rate == pytest.approx(30)
        first, *others = reader
    assert first.image.shape == (720, 1280, 3)
    assert len(others) == 119
