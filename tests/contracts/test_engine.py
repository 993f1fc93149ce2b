"""What every engine promises, asked of every engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import save_file

from lib_anim.engines.checker import CheckerEngine
from lib_anim.engines.contract.engine import Engine, Interrupted
from lib_anim.engines.contract.requests import (
    ClipFrame,
    ClipRequest,
    ControlUnit,
    FreeInit,
    Steering,
    StillRequest,
)
from lib_anim.engines.diffusion.engine import open_engine
from lib_anim.errors import FlipbookError

REQUEST = StillRequest(prompt="a red ball in snow", negative="blue", width=64, height=48, seed=7, steps=4)


def _tests(path: str) -> Any:
    """A file of the tests as a module: tests are no package."""
    spec = spec_from_file_location(Path(path).stem, Path(__file__).parents[1] / path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _diffusers(folder: Path) -> Engine:
    """A random checkpoint with a random motion module in its folder."""
    made = _tests("motion/conftest.py")
    (folder / "animatediff").mkdir()
    tensors = made.native(made.WIDTHS, 32, mid=False)
    save_file(tensors, folder / "animatediff" / "v3.safetensors")
    checkpoint = _tests("models/random_checkpoint.py").write_sd1(folder / "narrow.safetensors")
    return open_engine(checkpoint, device="cpu")


def _webui(folder: Path) -> Engine:
    """A WebUI with a random motion module that fits its small checkpoint."""
    engine = _tests("webui/remote_engine.py").start_engine(folder)
    (engine.webui.models / "AnimateDiff").mkdir()
    tensors = _tests("motion/conftest.py").native((32, 64, 64, 64), 32, mid=False)
    save_file(tensors, engine.webui.models / "AnimateDiff" / "v3.safetensors")
    return engine  # type: ignore[no-any-return]


MAKERS: dict[str, Callable[[Path], Engine]] = {
    "checker": lambda folder: CheckerEngine(),
    "diffusers": _diffusers,
    "webui": _webui,
}


@pytest.fixture(scope="module", params=MAKERS)
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    made = MAKERS[request.param](tmp_path_factory.mktemp("engine"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def picture(engine: Engine) -> np.ndarray:
    return engine.still(REQUEST)


def test_picture_has_the_requests_size_and_the_contracts_type(picture: np.ndarray) -> None:
    assert picture.shape == (48, 64, 3)
    assert picture.dtype == np.float32
    assert np.isfinite(picture).all()
    assert picture.min() >= 0
    assert picture.max() <= 1
    assert picture.std() > 0.01, "a flat picture says nothing"


def test_picture_is_not_rounded_to_8_bits(engine: Engine, picture: np.ndarray) -> None:
    # A picture as it is inside a loop: the WebUI answers one of 8 bits in 8 bits, to equal its own stills.
    repainted = engine.still(replace(REQUEST, init=picture * 0.9 + 0.04, denoising=0.37))
    assert np.abs(repainted * 255 - np.round(repainted * 255)).max() > 0.05


def test_equal_requests_give_equal_pictures(engine: Engine, picture: np.ndarray) -> None:
    assert np.array_equal(engine.still(REQUEST), picture)


@pytest.mark.parametrize("changed", [{"seed": 8}, {"prompt": "a green tree"}, {"steps": 6}])
def test_another_request_gives_another_picture(
    engine: Engine, picture: np.ndarray, changed: dict[str, object]
) -> None:
    assert not np.array_equal(engine.still(replace(REQUEST, **changed)), picture)  # type: ignore[arg-type]


def test_init_counts_by_denoising(engine: Engine, picture: np.ndarray) -> None:
    init = np.full((48, 64, 3), 0.5, np.float32)
    one, other = (engine.still(replace(REQUEST, init=init, denoising=d)) for d in (0.3, 0.8))
    assert not np.array_equal(one, other)
    assert not np.array_equal(one, picture)


def test_requests_arrays_are_left_alone(engine: Engine, picture: np.ndarray) -> None:
    init = picture.copy()
    init.setflags(write=False)
    engine.still(replace(REQUEST, init=init, denoising=0.5))
    assert np.array_equal(init, picture)


def test_mask_keeps_what_it_does_not_repaint(engine: Engine, picture: np.ndarray) -> None:
    if not engine.capabilities.inpaint:
        pytest.skip(f"{engine.name} does not inpaint")
    mask = np.zeros((48, 64), np.float32)
    mask[:, 32:] = 1
    result = engine.still(replace(REQUEST, seed=11, init=picture, mask=mask, denoising=0.9))
    assert np.abs(result[:, :24] - picture[:, :24]).max() < 1e-5
    assert np.abs(result[:, 40:] - picture[:, 40:]).max() > 0.02


def test_every_upscaler_gives_the_size_that_is_asked_for(engine: Engine) -> None:
    down, across = np.mgrid[0:48, 0:64] / 64
    picture = np.stack([down, across, 0.5 * (down + across)], axis=2).astype(np.float32)
    assert "Lanczos" in engine.capabilities.upscalers
    for name in engine.capabilities.upscalers:
        if name not in ("Lanczos", "Nearest"):
            continue  # Networks, whose weights the WebUI would fetch.
        larger = engine.upscale(picture, name, 128, 96)
        assert (larger.shape, larger.dtype) == ((96, 128, 3), np.float32)
        assert larger.min() >= 0
        assert larger.max() <= 1
        smaller = larger.reshape(48, 2, 64, 2, 3).mean(axis=(1, 3))
        assert np.abs(smaller - picture).mean() < 0.02


def test_steps_are_counted_to_the_end(engine: Engine) -> None:
    seen: list[tuple[int, int]] = []
    engine.still(REQUEST, lambda done, total: seen.append((done, total)))
    assert seen == [(i + 1, 4) for i in range(4)]


def test_interrupted_request_leaves_the_engine_usable(engine: Engine, picture: np.ndarray) -> None:
    def stop(done: int, total: int) -> None:
        if done == 2:
            raise Interrupted

    with pytest.raises(Interrupted):
        engine.still(replace(REQUEST, seed=9), stop)
    assert np.array_equal(engine.still(REQUEST), picture)


@pytest.mark.parametrize(
    ("changed", "field", "words"),
    [
        ({"sampler": "Elder a"}, "sampler", "Euler a"),
        ({"scheduler": "Carras"}, "scheduler", "Karras"),
        ({"width": -8}, "width", "-8"),
        ({"init": np.zeros((8, 8, 3), np.float32)}, "init", "(48, 64, 3)"),
        ({"checkpoint": "no such thing"}, "checkpoint", "no such thing"),
        ({"denoising": 1.5}, "denoising", "0 … 1"),
        ({"steps": 0}, "steps", "less than 1"),
        ({"seed": -1}, "seed", "-1"),
        ({"restore_faces": True}, "restore_faces", "not supported"),
    ],
)
def test_requests_outside_the_capabilities_are_refused(
    engine: Engine, changed: dict[str, object], field: str, words: str
) -> None:
    def never(done: int, total: int) -> None:
        raise AssertionError("work was done")

    if getattr(engine.capabilities, field, False) is True:
        pytest.skip(f"{engine.name} can do that")
    with pytest.raises(FlipbookError) as caught:
        engine.still(replace(REQUEST, **changed), never)  # type: ignore[arg-type]
    assert [p.field for p in caught.value.problems] == [field]
    assert words in str(caught.value)


def test_control_units_are_painted_by_engines_that_can_and_refused_by_all_others(engine: Engine) -> None:
    picture = np.full((48, 64, 3), 0.5, np.float32)
    unit = ControlUnit(model="no such model", image=picture)
    with pytest.raises(FlipbookError) as caught:
        engine.still(replace(REQUEST, control=(unit,)))
    assert ("no such model" if engine.capabilities.control else "no ControlNet") in str(caught.value)


def test_every_problem_is_named_at_once(engine: Engine) -> None:
    with pytest.raises(FlipbookError) as caught:
        engine.still(replace(REQUEST, steps=0, seed=-1, sampler="none"))
    assert {p.field for p in caught.value.problems} == {"steps", "seed", "sampler"}


def test_every_sampler_and_spacing_it_claims_paints(engine: Engine) -> None:
    for sampler in engine.capabilities.samplers:
        assert np.isfinite(engine.still(replace(REQUEST, sampler=sampler))).all(), sampler
    for scheduler in engine.capabilities.schedulers:
        assert np.isfinite(engine.still(replace(REQUEST, scheduler=scheduler))).all(), scheduler


def test_it_says_who_it_is(engine: Engine) -> None:
    assert engine.name
    assert "\n" not in engine.fingerprint
    assert engine.fingerprint == engine.fingerprint
    assert engine.warnings == ()


def _module(engine: Engine) -> str:
    if not engine.capabilities.clip:
        pytest.skip(f"{engine.name} makes no clips")
    return next(choice.name for choice in engine.capabilities.clip.motion_modules if not choice.why_not)


def _clip(engine: Engine, count: int = 4, **changes: Any) -> ClipRequest:
    frames = tuple(ClipFrame(prompt="a red ball", negative="blue", seed=7 + i) for i in range(count))
    asked = {"frames": frames, "shown": count, "motion": Steering(module=_module(engine)), "steps": 3}
    return ClipRequest(**{**asked, "width": 64, "height": 48, **changes})


@pytest.fixture(scope="module")
def clip(engine: Engine) -> list[np.ndarray]:
    return list(engine.clip(_clip(engine)))


def test_a_clip_is_as_many_pictures_as_it_shows(engine: Engine, clip: list[np.ndarray]) -> None:
    assert len(clip) == 4
    for frame in clip:
        assert frame.shape == (48, 64, 3)
        assert frame.dtype == np.float32
        assert np.isfinite(frame).all()
        assert 0 <= frame.min() <= frame.max() <= 1
    assert not np.array_equal(clip[0], clip[1])
    first = list(engine.clip(_clip(engine, shown=2)))
    assert len(first) == 2
    assert all(np.array_equal(one, other) for one, other in zip(first, clip, strict=False))


def test_equal_clips_are_equal_and_leave_stills_as_they_were(
    engine: Engine, picture: np.ndarray, clip: list[np.ndarray]
) -> None:
    assert all(
        np.array_equal(one, other) for one, other in zip(engine.clip(_clip(engine)), clip, strict=True)
    )
    assert np.array_equal(engine.still(REQUEST), picture)


def test_frames_are_decoded_when_they_are_asked_for(engine: Engine, clip: list[np.ndarray]) -> None:
    frames = engine.clip(_clip(engine))
    assert np.array_equal(next(frames), clip[0])
    frames.close()  # type: ignore[attr-defined]
    assert np.array_equal(next(engine.clip(_clip(engine))), clip[0])


def test_a_clips_steps_are_counted_to_the_end(engine: Engine) -> None:
    for freeinit, total in ((None, 3), (FreeInit(iterations=2), 6)):
        seen: list[tuple[int, int]] = []
        motion = Steering(module=_module(engine), freeinit=freeinit)
        request = _clip(engine, motion=motion)
        next(engine.clip(request, lambda done, total, seen=seen: seen.append((done, total))))  # type: ignore[misc]
        assert seen == [(i + 1, total) for i in range(total)]


def test_an_interrupted_clip_leaves_the_engine_usable(
    engine: Engine, picture: np.ndarray, clip: list[np.ndarray]
) -> None:
    def stop(done: int, total: int) -> None:
        if done == 2:
            raise Interrupted

    with pytest.raises(Interrupted):
        list(engine.clip(_clip(engine), stop))
    assert np.array_equal(engine.still(REQUEST), picture)
    assert np.array_equal(next(engine.clip(_clip(engine))), clip[0])


def test_a_clip_starts_from_its_pictures(engine: Engine, clip: list[np.ndarray]) -> None:
    grey = np.full((48, 64, 3), 0.5, np.float32)
    frames = tuple(replace(f, denoising=0.4) for f in _clip(engine).frames)
    asked: list[int] = []

    def init(index: int) -> np.ndarray:
        asked.append(index)
        return grey

    low = list(engine.clip(_clip(engine, frames=frames, init=init)))
    assert set(asked) == {0, 1, 2, 3}
    white = list(engine.clip(_clip(engine, frames=frames, init=lambda index: np.ones_like(grey))))
    more = tuple(replace(f, denoising=0.8) for f in frames)
    high = list(engine.clip(_clip(engine, frames=more, init=init)))
    for found in zip(low, white, high, clip, strict=True):
        assert len({frame.tobytes() for frame in found}) == 4


def test_a_clips_masks_keep_what_they_do_not_repaint(engine: Engine) -> None:
    grey = np.full((48, 64, 3), 0.5, np.float32)

    def mask(index: int) -> np.ndarray:
        found = np.zeros((48, 64), np.float32)
        found[:, 16 * index : 16 * index + 16] = 1
        return found

    frames = engine.clip(_clip(engine, init=lambda index: grey, mask=mask))
    for index, frame in enumerate(frames):
        kept = mask(index) == 0
        assert np.abs(frame[kept] - 0.5).max() < 1e-5
        assert np.abs(frame[~kept] - 0.5).max() > 0.02


@pytest.mark.parametrize(
    ("changed", "field", "words"),
    [
        ({"shown": 9}, "shown", "9 of 4"),
        ({"sampler": "Elder a"}, "sampler", "Euler a"),
        ({"width": -8}, "width", "-8"),
        ({"last": np.zeros((48, 64, 3), np.float32)}, "last", "init"),
        ({"motion": Steering(module="no such thing")}, "module", "no such thing"),
    ],
)
def test_clips_outside_the_capabilities_are_refused_before_any_work(
    engine: Engine, changed: dict[str, Any], field: str, words: str
) -> None:
    with pytest.raises(FlipbookError) as caught:
        engine.clip(_clip(engine, **changed))
    assert [p.field for p in caught.value.problems] == [field]
    assert words in str(caught.value)


def test_a_window_is_no_longer_than_the_module_knows(engine: Engine) -> None:
    module = next(c for c in engine.capabilities.clip.motion_modules if c.name == _module(engine))
    many = module.most_frames + 1
    motion = Steering(module=module.name, context=many)
    with pytest.raises(FlipbookError, match=f"takes at most {module.most_frames}"):
        engine.clip(_clip(engine, many, motion=motion))
