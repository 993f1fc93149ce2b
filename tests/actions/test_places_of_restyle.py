"""Which files settings may name: also those inside lists of objects, and none that are words."""

from __future__ import annotations

import numpy as np
import pytest

from lib_anim.actions.places import Places
from lib_anim.errors import FlipbookError
from lib_anim.kinds.restyle.settings import Restyle
from lib_anim.media.pictures import write_picture


@pytest.fixture
def shared(tmp_path):
    for folder in ("mine", "theirs"):
        (tmp_path / folder).mkdir()
        write_picture(tmp_path / folder / "a.png", np.zeros((64, 64, 3), np.uint8))
    return tmp_path, Places(open=False, roots=(tmp_path / "mine",))


def test_words_of_sources_are_no_files(shared):
    folder, places = shared
    mine = str(folder / "mine" / "a.png")
    places.check(Restyle(video=mine, init="previous output", units=[{"image": "init"}, {"image": mine}]))


@pytest.mark.parametrize(
    "changes", [{"init": "{}"}, {"mask": "{}"}, {"units": [{"image": "{}"}]}, {"units": [{"mask": "{}"}]}]
)
def test_files_outside_are_refused_wherever_they_stand(shared, changes):
    folder, places = shared
    theirs = str(folder / "theirs" / "a.png")
    ((name, value),) = changes.items()
    filled = value.format(theirs) if isinstance(value, str) else [dict.fromkeys(value[0], theirs)]
    with pytest.raises(FlipbookError) as caught:
        places.check(Restyle(**{name: filled}))
    assert [problem.field for problem in caught.value.problems] == [name]
