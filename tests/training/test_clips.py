"""Drawn clips: one object goes where the caption says, and optical flow finds that."""

from __future__ import annotations

import numpy as np
import pytest

from training.captions import caption
from training.clips import FRAMES, clips, opposed_clips, paint_clip, sample_clip
from training.direction import drift, moving_object, way
from training.moving_clips import clip_sheet, held_out_clips
from training.scenes import MOTIONS, MOVES, Scene, held_out_triple


def drawn(frames: list[Scene], side: int = 128) -> np.ndarray:
    return paint_clip(frames, side)[0].astype(np.float32) / np.float32(255)


def test_every_opposed_clip_is_the_way_back_through_the_same_scene() -> None:
    both = opposed_clips(20, 3)
    assert both[::2] == clips(20, 3)
    for there, back in zip(both[::2], both[1::2], strict=True):
        assert {there[0].motion, back[0].motion} == set(MOTIONS)
        assert [frame.x for frame in back] == [frame.x for frame in there[::-1]]
        assert all(
            (a.place, a.season, a.seed, a.obj, a.colour) == (b.place, b.season, b.seed, b.obj, b.colour)
            for a, b in zip(there, back, strict=True)
        )


def test_one_layout_and_a_path_that_goes_one_way() -> None:
    for frames in clips(40, 3):
        assert len(frames) == FRAMES
        first = frames[0]
        assert all(
            (f.place, f.season, f.seed, f.obj) == (first.place, first.season, first.seed, first.obj)
            for f in frames
        )
        steps = np.diff([f.x for f in frames])
        assert (np.sign(steps) == {"left": -1, "right": 1}[first.motion]).all()


def test_clips_keep_to_their_side_of_the_split() -> None:
    assert not any(frame.held_out for frames in clips(60, 1) for frame in frames)
    assert all(frame.held_out for frames in clips(20, 1, held_out=True) for frame in frames)


def test_captions_of_clips_say_no_wrong_way() -> None:
    rng = np.random.default_rng(2)
    named = 0
    for _ in range(300):
        frame = sample_clip(rng)[0]
        said = caption(frame, rng)
        other = {"left": "right", "right": "left"}[frame.motion]
        assert f"moving {other}" not in said
        named += f"moving {frame.motion}" in said
    assert named > 200


def test_only_the_object_changes() -> None:
    frames = clips(1, 5)[0]
    pictures, marks = paint_clip(frames)
    for a, b in ((0, 5), (3, 12)):
        still = ~(marks[a] | marks[b])
        # The watercolour bends edges by a pixel after the mark was taken.
        changed = np.abs(pictures[a].astype(int) - pictures[b]).max(-1) > 24
        assert (changed & still).mean() < 0.02
        assert (changed & ~still).mean() > 0.02


@pytest.mark.parametrize("held_out", [False, True])
def test_the_flow_of_drawn_clips_is_that_of_their_captions(held_out: bool) -> None:
    found = [(way(drawn(frames)), frames[0].motion) for frames in clips(24, 7, held_out)]
    assert {said for _, said in found} == set(MOTIONS)
    assert np.mean([seen == said for seen, said in found]) >= 0.95


def test_a_scene_that_stands_still_goes_nowhere_and_a_mirrored_clip_goes_the_other_way() -> None:
    frames = next(frames for frames in clips(20, 9) if frames[0].weather == "clear")
    clip = drawn(frames)
    grain = np.random.default_rng(0).normal(0, 0.02, clip.shape).astype(np.float32)
    assert way(clip[:1] + grain) == ""
    assert not moving_object(clip[:1] + grain).any()
    assert np.sign(drift(clip)) == -np.sign(drift(clip[:, :, ::-1]))


def test_clips_to_measure_are_of_held_out_combinations_both_ways() -> None:
    wanted = held_out_clips()
    assert {clip.way for clip in wanted} == set(MOTIONS)
    for clip in wanted:
        season, place = clip.prompt.split(",")[0].split()
        colour, obj = clip.prompt.split(" a ")[1].split(" moving ")[0].split()
        assert obj in MOVES
        assert held_out_triple(place, season, obj)
        assert clip.prompt.endswith(clip.way)
        assert (season, colour) != ("winter", "white")
    ways = [clip.way for clip in wanted]
    assert ways.count("left") == ways.count("right")


def test_a_sheet_has_a_row_a_clip() -> None:
    one = np.zeros((FRAMES, 32, 32, 3), np.float32)
    assert clip_sheet([one]).shape[1] == clip_sheet([one, one]).shape[1]
    assert clip_sheet([one, one]).shape[0] > 1.9 * clip_sheet([one]).shape[0] - 8
