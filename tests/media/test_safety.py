"""What a file must not be able to do, and names that must work."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import av
import numpy as np
import pytest

from lib_anim.errors import FlipbookError, NotFound
from lib_anim.media import container, rates
from lib_anim.media.pictures import read_picture, write_picture
from lib_anim.media.probe import probe
from lib_anim.media.read import open_source
from lib_anim.media.sound import read_sound
from lib_anim.media.write import open_sink


@pytest.fixture
def film(tmp_path: Path, clip: Callable) -> Path:
    with open_sink(tmp_path / "film.mp4", width=96, height=64, rate=24) as sink:
        for frame in clip(4):
            sink.write(frame)
    return tmp_path / "film.mp4"


@pytest.fixture
def listener() -> Iterator[tuple[int, list[str]]]:
    """A local port that notes whoever calls."""
    called: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        stop = threading.Event()

        def listen() -> None:
            while not stop.is_set():
                try:
                    connection, _ = server.accept()
                except TimeoutError:
                    continue
                called.append("called")
                connection.close()

        thread = threading.Thread(target=listen)
        thread.start()
        yield server.getsockname()[1], called
        stop.set()
        thread.join()


@pytest.mark.parametrize("look", [open_source, probe, read_sound, read_picture])
@pytest.mark.parametrize(
    "name",
    [
        "http://127.0.0.1:{port}/a.mp4",
        "tcp://127.0.0.1:{port}",
        "concat:{film}|{film}",
        "subfile,,start,0,end,0,,:{film}",
        "file:{film}",
        "data:video/mp4;base64,AAAA",
        "async:{film}",
        "pipe:0",
        "crypto:{film}",
    ],
)
def test_only_local_files_are_opened(
    film: Path, listener: tuple[int, list[str]], look: Callable, name: str
) -> None:
    port, called = listener
    with pytest.raises(FlipbookError):
        look(name.format(port=port, film=film))
    assert called == []


PLAYLISTS = {
    "hls.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{target}\n#EXT-X-ENDLIST\n",
    "concat.txt": "ffconcat version 1.0\nfile {target}\n",
    "film.mp4": "ffconcat version 1.0\nfile {target}\n",
    "song.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video {port} RTP/AVP 96\n",
    "dash.mpd": '<?xml version="1.0"?><MPD><Period><AdaptationSet><Representation><BaseURL>{target}</BaseURL>'
    "</Representation></AdaptationSet></Period></MPD>",
    "pattern%d.ffmeta": ";FFMETADATA1\ntitle=x\n",
}


@pytest.mark.parametrize("name", PLAYLISTS)
@pytest.mark.parametrize("remote", [True, False])
def test_playlists_are_refused(
    tmp_path: Path, film: Path, listener: tuple[int, list[str]], name: str, remote: bool
) -> None:
    port, called = listener
    target = f"http://127.0.0.1:{port}/a.ts" if remote else str(film)
    (tmp_path / "lists").mkdir()
    path = tmp_path / "lists" / name
    path.write_text(PLAYLISTS[name].format(target=target, port=port))
    for look in (open_source, probe, read_sound):
        with pytest.raises(FlipbookError) as error:
            look(path)
        assert name in str(error.value)
    assert called == []


def test_a_reference_to_another_file_inside_a_movie_is_not_followed(tmp_path: Path, film: Path) -> None:
    secret = tmp_path / "secret.mp4"
    secret.write_bytes(film.read_bytes())
    data = bytearray(film.read_bytes())
    # The data reference "in this file" (flag 1) becomes an absolute path to the other file.
    at = data.index(b"url \0\0\0\1")
    data[at : at + 8] = b"alis\0\0\0\0"
    film.write_bytes(bytes(data))
    before = secret.stat().st_atime_ns
    with suppress(FlipbookError), open_source(film) as source:
        list(source)
    assert secret.stat().st_atime_ns == before


NAMES = [
    "a film with spaces",
    "100% %d %05d",
    "春の雪—동영상",
    "x" * 200,
    "-i",
    "it's; $(touch owned)",
    "a:b|c",
]


@pytest.mark.parametrize("name", NAMES)
def test_any_file_name_works(tmp_path: Path, name: str, clip: Callable, number_of: Callable) -> None:
    folder = tmp_path / name[:60]
    with open_sink(folder / f"{name}.mp4", width=96, height=64, rate=24) as sink:
        for frame in clip(3):
            sink.write(frame)
    with open_source(folder / f"{name}.mp4") as source:
        assert [number_of(frame) for frame in source] == [0, 1, 2]
    write_picture(folder / f"{name}.png", clip(1)[0])
    assert read_picture(folder / f"{name}.png").shape == (64, 96, 3)
    assert sorted(p.name for p in folder.iterdir()) == sorted([f"{name}.mp4", f"{name}.png"])


def test_a_number_pattern_names_one_file_only(tmp_path: Path, clip: Callable) -> None:
    for number in range(3):
        write_picture(tmp_path / f"frame{number}.png", clip(1)[0])
    with pytest.raises(NotFound):
        open_source(tmp_path / "frame%d.png")


def test_a_film_of_huge_pictures_is_refused_before_decoding(tmp_path: Path) -> None:
    path = tmp_path / "bomb.mkv"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("ffv1", rate=24)
        stream.width, stream.height, stream.pix_fmt = 16384, 4200, "gray"
        out.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((4200, 16384), np.uint8), format="gray")))
        out.mux(stream.encode(None))
    with pytest.raises(FlipbookError) as error:
        open_source(path)
    assert "16384 x 4200" in str(error.value)


def test_a_film_of_too_many_pictures_is_refused(film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (rates, container):
        monkeypatch.setattr(module, "MAX_FRAMES", 3)
    with pytest.raises(FlipbookError) as error:
        open_source(film)
    assert "4 frames; at most 3" in str(error.value)


def test_a_film_that_claims_to_last_for_years_is_refused(tmp_path: Path, clip: Callable) -> None:
    path = tmp_path / "years.mkv"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for number, frame in enumerate(clip(3)):
            picture = av.VideoFrame.from_ndarray(frame, format="rgb24").reformat(format="yuv420p")
            picture.pts = [0, 1, 10**10][number]
            out.mux(stream.encode(picture))
        out.mux(stream.encode(None))
    with pytest.raises(FlipbookError) as error:
        open_source(path)
    assert "spread over" in str(error.value)


def test_what_is_no_film_is_a_sentence(tmp_path: Path, film: Path, sound: Path) -> None:
    for name, data in (
        ("a.mp4", b""),
        ("b.webm", b"\x1a\x45\xdf\xa3"),
        ("c.txt", b"hello"),
        ("d.gif", b"GIF89a"),
    ):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(FlipbookError) as error:
            open_source(tmp_path / name)
        assert name in str(error.value)
    with pytest.raises(FlipbookError) as error:
        open_source(sound)
    assert "no film" in str(error.value)
    with pytest.raises(FlipbookError) as error:
        read_sound(film)
    assert "no sound" in str(error.value)
    with pytest.raises(NotFound):
        open_source(tmp_path / "gone.mp4")
    with pytest.raises(NotFound):
        open_sink(tmp_path / "new.mp4", width=8, height=8, rate=24, audio=tmp_path / "gone.wav")
    assert not (tmp_path / "new.mp4.part").exists()
