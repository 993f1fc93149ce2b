"""Sound with films: copied or encoded, moved, cut, faded, and in time with the pictures."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from lib_anim.errors import FlipbookError
from lib_anim.media.mux import Sound
from lib_anim.media.probe import probe
from lib_anim.media.read import open_source
from lib_anim.media.sound import click_track, read_sound, write_wav
from lib_anim.media.write import open_sink


def film(path: Path, frames: list[np.ndarray], rate: Fraction | int = 24, **more: object) -> Path:
    with open_sink(path, width=96, height=64, rate=rate, **more) as sink:
        for frame in frames:
            sink.write(frame)
    return path


def clicks(path: Path, level: float = 0.2) -> list[float]:
    """Seconds at which clicks begin."""
    heard = np.abs(read_sound(path, 48000, 1)[:, 0])
    loud = np.flatnonzero(heard > level)
    starts = loud[np.diff(loud, prepend=-48000) > 4800]
    return (starts / 48000).tolist()


def sound_packets(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(p) for p in container.demux(audio=0) if p.size]


def codec_of(path: Path) -> str:
    with av.open(str(path)) as container:
        return container.streams.audio[0].codec_context.codec.canonical_name


@pytest.mark.parametrize(("name", "codec"), [("f.mp4", "aac"), ("f.webm", "opus"), ("f.mov", "pcm_s16le")])
def test_sound_is_copied_or_encoded_as_the_container_needs_and_in_time(
    tmp_path: Path, clip: Callable, sound: Path, name: str, codec: str
) -> None:
    path = film(tmp_path / name, clip(60), audio=sound)
    assert codec_of(path) == codec
    assert clicks(path) == pytest.approx([0, 0.5, 1.0, 1.5, 2.0], abs=0.004)
    assert len(read_sound(path)) / 48000 == pytest.approx(2.5, abs=0.03)


def test_sound_that_fits_is_copied_bit_for_bit(tmp_path: Path, clip: Callable, sound: Path) -> None:
    first = film(tmp_path / "a.mp4", clip(72), audio=sound)
    second = film(tmp_path / "b.mp4", clip(48), audio=first)
    assert sound_packets(second) == sound_packets(first)[: len(sound_packets(second))]
    assert clicks(second) == pytest.approx([0, 0.5, 1.0, 1.5], abs=0.004)
    assert len(read_sound(second)) / 48000 == pytest.approx(2, abs=0.03)
    web = film(tmp_path / "c.webm", clip(48), audio=film(tmp_path / "d.webm", clip(48), audio=sound))
    assert sound_packets(web) == sound_packets(tmp_path / "d.webm")
    assert clicks(web) == pytest.approx([0, 0.5, 1.0, 1.5], abs=0.004)


def test_sound_that_does_not_fit_is_encoded_again(tmp_path: Path, clip: Callable, sound: Path) -> None:
    mp4 = film(tmp_path / "a.mp4", clip(48), audio=sound)
    assert codec_of(film(tmp_path / "b.webm", clip(48), audio=mp4)) == "opus"
    assert clicks(tmp_path / "b.webm") == pytest.approx([0, 0.5, 1.0, 1.5], abs=0.004)


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ({"start": Fraction(1, 4)}, [0.25, 0.75, 1.25, 1.75]),
        ({"offset": Fraction(1, 3)}, [1 / 3, 1 / 3 + 0.5, 1 / 3 + 1, 1 / 3 + 1.5]),
        ({"offset": Fraction(-3, 10)}, [0.2, 0.7, 1.2, 1.7]),
        ({"start": Fraction(1, 4), "offset": Fraction(1)}, [1.25, 1.75]),
        ({"offset": Fraction(5)}, []),
    ],
)
def test_trim_and_offset(
    tmp_path: Path, clip: Callable, sound: Path, how: dict[str, Fraction], expected: list[float]
) -> None:
    path = film(tmp_path / "a.mp4", clip(48), audio=Sound(sound, **how))
    assert clicks(path) == pytest.approx(expected, abs=0.004)


def test_fades_rise_and_fall(tmp_path: Path, clip: Callable) -> None:
    t = np.arange(96000) / 48000
    tone = write_wav(tmp_path / "tone.wav", (0.5 * np.sin(2 * np.pi * 440 * t))[:, None].astype(np.float32))
    path = film(tmp_path / "a.mp4", clip(48), audio=Sound(tone, fade_in=Fraction(1, 2), fade_out=Fraction(1)))
    heard = np.abs(read_sound(path, 48000, 1)[:, 0])
    peaks = [heard[int(s * 48000) : int(s * 48000) + 480].max() for s in (0.0, 0.25, 0.6, 1.5, 1.98)]
    assert peaks == pytest.approx([0.01, 0.26, 0.5, 0.25, 0.01], abs=0.03)


@pytest.mark.parametrize("rate", [22050, 44100, 96000])
@pytest.mark.parametrize("channels", [1, 2])
def test_any_sample_rate_stays_in_time(tmp_path: Path, clip: Callable, rate: int, channels: int) -> None:
    wav = write_wav(tmp_path / "a.wav", click_track(120, 3, rate, channels), rate)
    assert clicks(film(tmp_path / "a.mp4", clip(60), audio=wav)) == pytest.approx(
        [0, 0.5, 1, 1.5, 2], abs=0.004
    )


@pytest.mark.parametrize("source_rate", [Fraction(24000, 1001), Fraction(30000, 1001), 25, 50, 60], ids=str)
@pytest.mark.parametrize("rate", [8, 15, 24])
def test_sound_stays_with_pictures_through_a_change_of_rate(
    tmp_path: Path, sound: Path, source_rate: Fraction, rate: int
) -> None:
    """A white flash stands where the click of each half second is heard."""
    count = int(Fraction(source_rate) * 5 / 2)
    beats = {round(Fraction(beat, 2) * source_rate) for beat in range(5)}
    frames = [np.full((64, 96, 3), 255 if n in beats else 0, np.uint8) for n in range(count)]
    fast = {"options": {"preset": "ultrafast"}}
    first = film(tmp_path / "a.mp4", frames, source_rate, audio=sound, **fast)
    with open_source(first, rate=rate) as source:
        bright = [frame.mean() for frame in source]
        film(tmp_path / "b.mp4", list(source), rate, audio=first, **fast)
    heard = clicks(tmp_path / "b.mp4")
    # At less than the source's rate a flash may fall between two frames; those that are seen are in time.
    flashes = [n / rate for n, mean in enumerate(bright) if mean > 100 and (n == 0 or bright[n - 1] < 100)]
    assert len(flashes) >= 1
    for flash in flashes:
        nearest = min(heard, key=lambda click, at=flash: abs(click - at))
        assert abs(nearest - flash) <= 0.5 / rate + 0.5 / float(source_rate) + 0.004


@pytest.mark.parametrize("name", ["a.gif", "a.webp"])
def test_formats_without_sound_say_so(tmp_path: Path, clip: Callable, sound: Path, name: str) -> None:
    with open_sink(tmp_path / name, width=96, height=64, rate=12, audio=sound) as sink:
        sink.write(clip(1)[0])
    assert "carries no sound" in sink.warnings[0]
    assert "clicks.wav" in sink.warnings[0]


def test_a_film_without_sound_is_refused_as_sound(tmp_path: Path, clip: Callable) -> None:
    silent = film(tmp_path / "a.mp4", clip(2))
    with pytest.raises(FlipbookError) as error:
        open_sink(tmp_path / "b.mp4", width=96, height=64, rate=24, audio=silent)
    assert str(error.value).startswith("audio: a.mp4")


def test_a_film_that_cannot_be_put_in_place_keeps_its_pictures(
    tmp_path: Path, clip: Callable, number_of: Callable
) -> None:
    (tmp_path / "a.mp4").mkdir()
    with pytest.raises(FlipbookError) as error:
        film(tmp_path / "a.mp4", clip(5))
    assert "kept in a.mp4.part" in str(error.value)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.mp4", "a.mp4.part"]
    with open_source(tmp_path / "a.mp4.part") as source:
        assert [number_of(frame) for frame in source] == list(range(5))


def test_sound_counts_from_the_first_picture_of_its_film(tmp_path: Path, clip: Callable, sound: Path) -> None:
    """Pictures that begin 0.75 s after the sound: what was heard before them is cut."""
    late = tmp_path / "late.mkv"
    samples = read_sound(sound, 48000, 2)
    with av.open(str(late), "w") as out:
        pictures, heard = out.add_stream("libx264", rate=24), out.add_stream("pcm_s16le", rate=48000)
        pictures.width, pictures.height, pictures.pix_fmt = 96, 64, "yuv420p"
        heard.codec_context.layout = "stereo"
        whole = av.AudioFrame.from_ndarray(
            np.rint(samples * 32767).astype(np.int16).reshape(1, -1), format="s16", layout="stereo"
        )
        whole.sample_rate, whole.pts = 48000, 0
        out.mux(heard.encode(whole))
        for number, frame in enumerate(clip(40)):
            picture = av.VideoFrame.from_ndarray(frame, format="rgb24").reformat(format="yuv420p")
            picture.pts = number + 18
            out.mux(pictures.encode(picture))
        out.mux(pictures.encode(None))
    assert clicks(late) == pytest.approx([0.25, 0.75, 1.25, 1.75], abs=0.004)
    assert clicks(film(tmp_path / "a.mp4", clip(40), audio=late)) == pytest.approx(
        [0.25, 0.75, 1.25], abs=0.004
    )


def test_damaged_sound_is_silent_and_said(tmp_path: Path, clip: Callable, sound: Path) -> None:
    good = film(tmp_path / "a.mp4", clip(60), audio=sound)
    with av.open(str(good)) as container:
        places = [(p.pos, p.size) for p in container.demux(audio=0) if p.size]
    data = bytearray(good.read_bytes())
    for position, size in places[40:60]:
        data[position : position + size] = b"\xff" * size
    (tmp_path / "b.mp4").write_bytes(bytes(data))
    with open_sink(tmp_path / "c.webm", width=96, height=64, rate=24, audio=tmp_path / "b.mp4") as sink:
        for frame in clip(60):
            sink.write(frame)
    assert "pieces of its sound are damaged" in sink.warnings[0]
    heard = clicks(tmp_path / "c.webm")
    for beat in (0, 0.5, 1.5, 2.0):
        assert min(abs(click - beat) for click in heard) < 0.004


CRASH = """
import os, signal, sys
from pathlib import Path
import numpy as np
from lib_anim.media.write import open_sink
path, form = sys.argv[1:]
sink = open_sink(Path(path), width=96, height=64, rate=24, format=form)
for number in range(120):
    sink.write(np.full((64, 96, 3), number * 2, np.uint8))
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="the signal that kills without notice is POSIX's")
@pytest.mark.parametrize(
    ("form", "suffix"), [("h264", ".mp4"), ("vp9", ".webm"), ("prores", ".mov"), ("gif", ".gif")]
)
def test_what_was_written_plays_after_a_crash(tmp_path: Path, form: str, suffix: str) -> None:
    path = tmp_path / f"film{suffix}"
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", CRASH, str(path), form],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    assert not path.exists()
    with open_source(tmp_path / f"film{suffix}.part") as source:
        seen = [float(frame.mean()) / 2 for frame in source]
    # What the encoder and its lookahead held is lost; what reached the file is not.
    assert len(seen) >= 30
    assert seen == pytest.approx(list(range(len(seen))), abs=2)


def test_the_next_film_of_that_name_replaces_what_a_crash_left(tmp_path: Path, clip: Callable) -> None:
    (tmp_path / "a.mp4.part").write_bytes(b"left over")
    film(tmp_path / "a.mp4", clip(3))
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]


def test_probe_tells_what_a_film_is(tmp_path: Path, clip: Callable, sound: Path) -> None:
    path = film(tmp_path / "a.mp4", clip(30), Fraction(30000, 1001), audio=sound, comment='{"seed": 7}')
    told = probe(path).as_json()
    assert told["kind"] == "video"
    assert (told["width"], told["height"], told["rate"], told["frames"]) == (96, 64, "30000/1001", 30)
    assert told["duration"] == pytest.approx(1.001)
    assert told["audio"] is True
    assert told["comment"] == '{"seed": 7}'
    assert told["codec"] == "h264"
    assert probe(sound).as_json()["kind"] == "sound"
    assert probe(sound).duration == pytest.approx(3)
    assert probe(film(tmp_path / "a.gif", clip(3))).kind == "animation"
    assert probe(film(tmp_path / "pictures", clip(3), format="png")).kind == "pictures"
    assert probe(tmp_path / "pictures" / "000000.png").kind == "picture"
