"""What every engine promises, asked of every engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest

from lib_anim.engines.checker import CheckerEngine
from lib_anim.engines.contract import ControlUnit, Engine, Interrupted, StillRequest
from lib_anim.engines.diffusers import open_engine
from lib_anim.errors import FlipbookError

REQUEST = StillRequest(prompt="a red ball in snow", negative="blue", width=64, height=48, seed=7, steps=4)


def _random_checkpoint(folder: Path) -> Path:
    path = Path(__file__).parents[1] / "models" / "random_checkpoint.py"
    spec = spec_from_file_location("random_checkpoint", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    written: Path = module.write_sd1(folder / "narrow.safetensors")
    return written


MAKERS: dict[str, Callable[[Path], Engine]] = {
    "checker": lambda folder: CheckerEngine(),
    "diffusers": lambda folder: open_engine(_random_checkpoint(folder), device="cpu"),
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
    repainted = engine.still(replace(REQUEST, init=picture, denoising=0.37))
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
        ({"restore_faces": True}, "restore_faces", "cannot"),
    ],
)
def test_requests_outside_the_capabilities_are_refused(
    engine: Engine, changed: dict[str, object], field: str, words: str
) -> None:
    def never(done: int, total: int) -> None:
        raise AssertionError("work was done")

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
