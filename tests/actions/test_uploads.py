from __future__ import annotations

import io
import os
import struct
import time
import zlib
from pathlib import Path

import numpy as np
import pytest

from lib_anim.actions import uploads as module
from lib_anim.actions.places import Places
from lib_anim.actions.services import Services
from lib_anim.actions.settings_files import settings_in
from lib_anim.actions.uploads import Uploads
from lib_anim.errors import FlipbookError, NotFound
from lib_anim.media import container
from lib_anim.media.pictures import write_picture
from lib_anim.media.write import open_sink

from .conftest import SETTINGS, Checkers, ended


@pytest.fixture
def uploads(tmp_path: Path) -> Uploads:
    return Uploads(tmp_path / "uploads")


@pytest.fixture
def picture(tmp_path: Path) -> bytes:
    return write_picture(tmp_path / "a.png", np.full((64, 64, 3), 99, np.uint8)).read_bytes()


@pytest.fixture
def film(tmp_path: Path) -> bytes:
    with open_sink(tmp_path / "a.mp4", width=64, height=64, rate=12) as sink:
        for value in range(6):
            sink.write(np.full((64, 64, 3), value * 40, np.uint8))
    return (tmp_path / "a.mp4").read_bytes()


def left(uploads: Uploads) -> list[Path]:
    return list(uploads.folder.iterdir()) if uploads.folder.is_dir() else []


def test_an_upload_is_kept_under_a_name_that_cannot_be_guessed(uploads, picture, film):
    first, second = uploads.keep(io.BytesIO(picture)), uploads.keep(io.BytesIO(picture))
    assert first != second
    # 128 random bits.
    assert len(first.removeprefix("upload:").removesuffix(".png")) == 22
    assert uploads.path(first).read_bytes() == picture
    assert uploads.keep(io.BytesIO(film)).endswith(".mp4")
    assert not [path for path in left(uploads) if path.suffix == ".part"]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"#!/bin/sh\nrm -rf /\n" * 20,
        b"MZ" + b"\0" * 500,
        b"PK\x03\x04" + b"\0" * 500,
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>" * 9,
        b"<html><script>alert(1)</script></html>" * 9,
        b"#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:0\nfile:///etc/passwd\n" * 9,
        b"ffconcat version 1.0\nfile /etc/passwd\n" * 9,
        b"\x89PNG\r\n\x1a\n" + b"not really a picture" * 30,
        b"\0\0\0\x18ftypmp42" + b"nor a film" * 60,
    ],
)
def test_what_is_no_media_is_not_kept_whatever_it_says(uploads, data):
    with pytest.raises(FlipbookError):
        uploads.keep(io.BytesIO(data))
    assert left(uploads) == []


def test_uploads_are_bounded_in_bytes(uploads, picture, monkeypatch):
    monkeypatch.setattr(module, "LARGEST", len(picture) - 1)
    with pytest.raises(FlipbookError, match="larger than") as refused:
        uploads.keep(io.BytesIO(picture))
    assert refused.value.status == 413
    assert left(uploads) == []


def test_uploads_are_bounded_in_pixels_before_they_are_decoded(uploads, picture, monkeypatch):
    monkeypatch.setattr(container, "MAX_PIXELS", 64 * 64 - 1)
    with pytest.raises(FlipbookError, match="pixels"):
        uploads.keep(io.BytesIO(picture))
    assert left(uploads) == []


@pytest.mark.parametrize("before", [b"IDAT", b"IEND"], ids=["before the picture", "after it"])
@pytest.mark.parametrize("kind", [b"zTXt", b"iTXt"])
def test_text_that_unpacks_to_far_more_is_refused(uploads, picture, tmp_path, before, kind):
    """A quarter of a megabyte that would take two hundred: not unpacked, kept, or read as settings."""
    head = b"parameters\0" + (b"\0" if kind == b"zTXt" else b"\1\0\0\0")
    data = head + zlib.compress(bytes(200 << 20), 9)
    at = picture.index(before) - 4
    bomb = (
        picture[:at]
        + struct.pack(">I", len(data))
        + kind
        + data
        + struct.pack(">I", zlib.crc32(kind + data))
        + picture[at:]
    )
    with pytest.raises(FlipbookError, match=r"(?i)decompressed data too large"):
        uploads.keep(io.BytesIO(bomb))
    assert left(uploads) == []
    (tmp_path / "bomb.png").write_bytes(bomb)
    with pytest.raises(FlipbookError, match=r"(?i)decompressed data too large"):
        settings_in(tmp_path / "bomb.png")


def test_uploads_are_bounded_in_frames(uploads, film, monkeypatch):
    monkeypatch.setattr(module, "MOST_FRAMES", 5)
    with pytest.raises(FlipbookError, match="6 frames"):
        uploads.keep(io.BytesIO(film))
    assert left(uploads) == []


def test_a_broken_upload_leaves_nothing(uploads, picture):
    class Broken(io.BytesIO):
        def read(self, size=-1):
            data = super().read(20)
            if not data or self.tell() > 40:
                raise ConnectionError("gone")
            return data

    with pytest.raises(ConnectionError):
        uploads.keep(Broken(picture))
    assert left(uploads) == []


@pytest.mark.parametrize(
    "address",
    [
        "upload:../../etc/passwd",
        "upload:/etc/passwd",
        "upload:a.png",
        "upload:",
        "upload:" + "a" * 22 + ".png",
    ],
)
def test_addresses_lead_to_uploads_alone(uploads, picture, address):
    uploads.keep(io.BytesIO(picture))
    with pytest.raises(NotFound):
        uploads.path(address)


def test_old_uploads_go_but_for_what_jobs_need(uploads, picture):
    addresses = [uploads.keep(io.BytesIO(picture)) for _ in range(3)]
    paths = [uploads.path(address) for address in addresses]
    long_ago = time.time() - 8 * 86_400
    for path in paths[:2]:
        os.utime(path, (long_ago, long_ago))
    uploads.tidy([paths[1]])
    assert [path.exists() for path in paths] == [False, True, True]


def test_uploads_together_take_bounded_room(uploads, picture, monkeypatch):
    monkeypatch.setattr(module, "MOST_BYTES", 2 * len(picture))
    paths = [uploads.path(uploads.keep(io.BytesIO(picture))) for _ in range(4)]
    for age, path in enumerate(paths):
        os.utime(path, (time.time() - 100 + age,) * 2)
    uploads.tidy([paths[0]])
    assert [path.exists() for path in paths] == [True, False, False, True]


def test_an_upload_is_a_files_path_for_settings_also_on_a_shared_host(tmp_path, picture):
    services = Services(tmp_path / "home", Checkers(), Places(open=False))
    address = services.uploads.keep(io.BytesIO(picture))
    record = ended(services, services.jobs.submit("keyframed", {**SETTINGS, "init_image": address}))
    assert record.status == "done"
    with pytest.raises(FlipbookError, match="no such upload"):
        services.jobs.submit("keyframed", {**SETTINGS, "init_image": "upload:" + "a" * 22 + ".png"})
    services.close()
