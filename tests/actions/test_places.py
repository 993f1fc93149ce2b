"""Which files a caller may name. Each test stands for a claim in `docs/guide/api.md`."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from lib_anim.actions.places import NOT_ALLOWED, Places
from lib_anim.actions.services import Services
from lib_anim.errors import FlipbookError
from lib_anim.kinds.assemble.settings import Assemble
from lib_anim.kinds.registry import SETTINGS as KINDS
from lib_anim.media.pictures import write_picture
from lib_anim.media.read import open_source

from .conftest import SETTINGS, Checkers


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A picture that lies in no allowed folder."""
    (tmp_path / "private").mkdir()
    return write_picture(tmp_path / "private" / "diary.png", np.zeros((64, 64, 3), np.uint8))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An allowed folder with a picture."""
    folder = tmp_path / "allowed"
    folder.mkdir()
    write_picture(folder / "a.png", np.zeros((64, 64, 3), np.uint8))
    return folder


@pytest.fixture
def shared(root: Path) -> Places:
    return Places(open=False, roots=(root,))


def test_on_a_private_host_any_media_file_may_be_named(outside):
    assert Places().media(str(outside), "init_image") == outside.resolve()
    assert Places().media(str(outside.parent), "video") == outside.parent.resolve()


def test_on_a_shared_host_only_what_lies_in_allowed_folders(shared, root, outside):
    assert shared.media(str(root / "a.png"), "init_image") == (root / "a.png").resolve()
    with pytest.raises(FlipbookError, match=NOT_ALLOWED):
        shared.media(str(outside), "init_image")
    with pytest.raises(FlipbookError, match=NOT_ALLOWED):
        shared.media(str(outside.parent), "video")


ESCAPES = {
    "..": "{root}/../private/diary.png",
    ".. in the middle": "{root}/x/../../private/diary.png",
    "encoded dots": "{root}/%2e%2e/private/diary.png",
    "encoded slash": "{root}/..%2fprivate%2fdiary.png",
    "doubly encoded": "{root}/%252e%252e/private/diary.png",
    "backslashes": "{root}\\..\\private\\diary.png",
    "a prefix that is not a folder": "{root}-not/diary.png",
    "a drive": "C:\\Users\\me\\diary.png",
    "a drive with slashes": "C:/Users/me/diary.png",
    "a share": "\\\\server\\share\\diary.png",
    "a share with slashes": "//server/share/diary.png",
    "a device": "\\\\.\\PhysicalDrive0",
    "a file address": "file:///{root}/../private/diary.png",
    "home": "~/diary.png",
    "proc": "/proc/self/environ",
}


@pytest.mark.parametrize("text", ESCAPES.values(), ids=ESCAPES)
def test_no_way_leads_out_of_the_allowed_folders(shared, root, outside, text):
    with pytest.raises(FlipbookError) as refused:
        shared.media(text.format(root=root), "init_image")
    assert NOT_ALLOWED in str(refused.value) or "no file" in str(refused.value)


def test_links_are_followed_before_they_are_judged(shared, root, outside):
    try:
        (root / "link.png").symlink_to(outside)
        (root / "folder").symlink_to(outside.parent)
    except OSError:
        pytest.skip("links cannot be made here")
    for path in (root / "link.png", root / "folder" / "diary.png", root / "folder"):
        with pytest.raises(FlipbookError, match=NOT_ALLOWED):
            shared.media(str(path), "init_image")
    # A folder of frames in which one leads out.
    with pytest.raises(FlipbookError, match=NOT_ALLOWED):
        shared.media(str(root), "video")


def test_links_to_links_and_links_deep_inside_lead_nowhere(shared, root, tmp_path, outside):
    """A film may be a folder of pictures: of what lies deeper in it nothing is read."""
    (root / "deep" / "deeper").mkdir(parents=True)
    try:
        (root / "deep" / "link.png").symlink_to(outside)
        (root / "deep" / "deeper" / "folder").symlink_to(outside.parent)
        (tmp_path / "chain").symlink_to(root / "deep" / "deeper")
    except OSError:
        pytest.skip("links cannot be made here")
    for path in (
        root / "deep" / "link.png",
        root / "deep",
        root / "deep" / "deeper" / "folder",
        root / "deep" / "deeper" / "folder" / "diary.png",
        tmp_path / "chain" / "folder" / "diary.png",
    ):
        with pytest.raises(FlipbookError, match=NOT_ALLOWED):
            shared.media(str(path), "video")
    assert shared.media(str(root), "video") == root
    with open_source(root, rate=10) as source:
        assert source.info.names == ("a.png",)


def test_a_shared_host_does_not_tell_which_files_there_are(shared, outside):
    def sentence(path: Path) -> str:
        with pytest.raises(FlipbookError) as refused:
            shared.media(str(path), "init_image")
        return str(refused.value).replace(path.name, "…")

    assert sentence(outside) == sentence(outside.with_name("none.png"))


@pytest.mark.parametrize("name", ["id_rsa", "passwords.txt", "key.pem", "notes.png", "clip.mp4"])
def test_what_is_no_media_is_refused_and_nothing_of_it_is_told(tmp_path, name):
    path = tmp_path / name
    path.write_text("-----BEGIN PRIVATE KEY----- tops3cret")
    with pytest.raises(FlipbookError) as refused:
        Places().media(str(path), "init_image")
    assert "tops3cret" not in str(refused.value)
    assert "BEGIN" not in str(refused.value)


def test_media_of_every_kind_that_can_be_read_is_recognised(tmp_path):
    from lib_anim.media.formats import FORMATS
    from lib_anim.media.write import open_sink

    for form in FORMATS.values():
        film = tmp_path / f"film-{form.name}{form.suffix}"
        with open_sink(film, width=64, height=64, rate=12, format=form.name) as sink:
            for value in (0, 128, 255):
                sink.write(np.full((64, 64, 3), value, np.uint8))
        assert Places().media(str(film), "video") == film.resolve()


@pytest.mark.skipif(os.name == "nt", reason="there are no such devices")
def test_a_device_is_no_file(tmp_path):
    for path in ("/dev/zero", "/dev/stdin"):
        with pytest.raises(FlipbookError):
            Places().media(path, "init_image")


def test_every_setting_that_names_a_file_is_checked(tmp_path, outside):
    """Whatever kind there is or comes: a path outside is refused under the setting's own name."""
    from lib_anim.settings.base import specs
    from lib_anim.settings.fields import PathText

    services = Services(tmp_path / "home", Checkers(), Places(open=False))
    for kind, cls in KINDS.items():
        for name, spec in specs(cls).items():
            if isinstance(spec, PathText):
                with pytest.raises(FlipbookError) as refused:
                    services.settings.load(kind, {name: str(outside)})
                assert name in {problem.field for problem in refused.value.problems}, (kind, name)
    services.close()


def test_files_inside_mask_expressions_are_checked(tmp_path, outside):
    services = Services(tmp_path / "home", Checkers(), Places(open=False))
    with pytest.raises(FlipbookError, match=NOT_ALLOWED) as refused:
        services.jobs.submit("keyframed", {**SETTINGS, "mask_expression": f"[{outside}]"})
    assert refused.value.problems[0].field == "mask_expression"
    services.close()


def test_jobs_write_only_into_their_run_folder(services, tmp_path):
    for name in ("sheet", "poster"):
        with pytest.raises(FlipbookError, match="command line"):
            services.settings.load("assemble", {"source": "", name: str(tmp_path / "mine.png")})
    from lib_anim.settings.base import specs
    from lib_anim.settings.fields import PathText

    written = [n for n, s in specs(Assemble).items() if isinstance(s, PathText) and s.group == "Output"]
    assert sorted(written) == ["poster", "sheet"]


def test_settings_inside_files_are_checked_too(tmp_path, outside):
    services = Services(tmp_path / "home", Checkers(), Places(open=False, roots=(tmp_path / "allowed",)))
    (tmp_path / "allowed").mkdir()
    file = tmp_path / "allowed" / "film.json"
    file.write_text(f'{{"kind": "keyframed", "init_image": "{outside.as_posix()}"}}')
    with pytest.raises(FlipbookError, match=NOT_ALLOWED):
        services.settings.read(str(file))
    with pytest.raises(FlipbookError, match=NOT_ALLOWED):
        services.settings.read(str(outside))
    services.close()
