"""Compares the embedded engine with a real WebUI that has the same weights, from prompt to picture.

Run with .venv, which has diffusers; the WebUI runs in its own environment. `WRITE_GOLDEN=1` writes
tests/engines/golden_prompts.json again from the WebUI.
"""

from __future__ import annotations

import base64
import importlib.util
import io
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch", reason="needs the embedded engine's packages: run it with .venv")
pytest.importorskip("diffusers", reason="needs the embedded engine's packages: run it with .venv")

from lib_anim.engines.contract.requests import StillRequest  # noqa: E402
from lib_anim.engines.diffusion.engine import DiffusersEngine, open_engine  # noqa: E402
from lib_anim.engines.sampling.brownian import BrownianNoise  # noqa: E402
from lib_anim.engines.sampling.noise import PictureNoise  # noqa: E402
from lib_anim.engines.sampling.noise_levels import SPACINGS, ConsistencyLevels, NoiseLevels, noise_levels  # noqa: E402
from lib_anim.engines.sampling.samplers import SAMPLERS  # noqa: E402
from lib_anim.engines.text.prompt_parser import prompt_schedule, prompt_schedules  # noqa: E402
from lib_anim.models.folders import ModelFolders  # noqa: E402
from tests.webui.lora_kinds import KINDS, WORD, write_loras  # noqa: E402

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
GOLDEN = HERE.parents[0] / "engines" / "golden_prompts.json"
LONG = (
    "spring red tree, blue ball, autumn snow photo, winter of in summer, red red ball, x y z, blue tree blue"
)
PROMPTS = (
    "red ball in snow",
    "a (red:1.3) [ball], ((autumn))",
    "[tree:ball:0.5] snow",
    "[red|blue|snow] ball",
    "[red|[blue:snow:4]|(tree:1.2)] ball",
    "[[red|blue]:[tree|snow|ball]:0.5] photo",
    "[[[red:blue:2]:tree:4]:ball:5]",
    "red ball AND (blue:1.2) tree:0.5",
    "red :1.3 AND [blue:snow:0.5] :-0.4 AND ball",
    "red BREAK blue",
    "red BREAK BREAK blue BREAK",
    ", ".join([LONG] * 6),
    "(winter:0.7) " + ", ".join([LONG] * 5) + " AND spring",
    "(red BREAK blue:1.2) snow",
    "red [ball:(tree:1.4):0.4]",
    "[red:0.25] ball [snow::0.75]",
    "",
    "(red:1.3",
    "red) [blue",
    "a \\(red\\) (b(c:0.5)d)",
    "a snowtree in (snowtree:1.4) [snowtree:ball:3]",
    LONG + " " + "red " * 49 + "snowtree ball",
)
"""Weights, nesting, edits by number and by part, turns, AND, BREAK, long prompts, stray brackets,
inversions."""


def maker() -> Any:
    """tests/models/random_checkpoint.py."""
    path = HERE.parents[0] / "models" / "random_checkpoint.py"
    spec = importlib.util.spec_from_file_location("made", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class ReferenceWebUI:
    """A WebUI that tells its numbers, and the folders of the models that it has."""

    def __init__(self, webui: Any) -> None:
        self.webui = webui
        self.models: Path = webui.models
        self.checkpoints = webui.models / "Stable-diffusion"

    def choose(self, name: str) -> Path:
        """Loads the checkpoint `name`; gives its file."""
        status, answer = self.webui.request(
            "/sdapi/v1/options", {"sd_model_checkpoint": f"{name}.safetensors"}
        )
        assert status == 200, answer
        return Path(self.checkpoints / f"{name}.safetensors")

    def ask(self, what: str, **body: Any) -> Any:
        status, answer = self.webui.request(f"/test-parity/{what}", body)
        assert status == 200, answer
        return answer

    def still(self, mode: str, **body: Any) -> np.ndarray:
        """uint8 RGB."""
        status, answer = self.webui.request(f"/sdapi/v1/{mode}", body)
        assert status == 200, answer
        return np.asarray(Image.open(io.BytesIO(base64.b64decode(answer["images"][0]))).convert("RGB"))

    def opened(self, name: str, **options: Any) -> DiffusersEngine:
        folders = ModelFolders(loras=(self.models / "Lora",), embeddings=(self.models / "embeddings",))
        engine = open_engine(
            self.checkpoints / f"{name}.safetensors", device="cpu", folders=folders, **options
        )
        assert isinstance(engine, DiffusersEngine)
        return engine


def unpacked(text: str) -> Any:
    return np.load(io.BytesIO(base64.b64decode(text)))


@pytest.fixture(scope="module")
def reference(start_webui: Any) -> Iterator[ReferenceWebUI]:
    webui = start_webui("parity")
    made = maker()
    checkpoints = webui.models / "Stable-diffusion"
    made.write_golden(checkpoints)
    shutil.move(checkpoints / "embeddings", webui.models / "embeddings")
    made.write_golden_sdxl(checkpoints)
    (webui.models / "Lora").mkdir(exist_ok=True)
    write_loras(webui.models / "Lora")
    shutil.copytree(HERE / "parity_door", webui.data / "extensions" / "parity_door")
    webui.flags += ["--embeddings-dir", str(webui.models / "embeddings"), "--no-hashing"]
    webui.start()
    host = ReferenceWebUI(webui)
    # SDXL's previews need a file that the WebUI downloads.
    webui.request("/sdapi/v1/options", {"live_previews_enable": False})
    # A checkpoint chosen while a thread still loads the first breaks both.
    host.still("txt2img", prompt="a", steps=1, width=64, height=64)
    yield host
    # No extension of ours is in there, and every answer's status is checked: what it logs is its own. (It has
    # logged a TypeError under a change of checkpoint, and gone on.)
    webui.stop()


def test_prompts_are_read_and_encoded_as_there(reference: ReferenceWebUI) -> None:
    reference.choose("golden")
    text = reference.opened("golden")._painter(None).text
    golden: dict[str, Any] = {}
    with torch.inference_mode():
        for skip, calls, prompt in (
            *((skip, 6, prompt) for skip in (1, 2) for prompt in PROMPTS),
            # Heun's two calls per step; one step alone.
            *((1, calls, prompt) for calls in (12, 1) for prompt in PROMPTS[2:7]),
        ):
            answer = reference.ask("conds", prompt=prompt, negative=prompt, steps=calls, clip_skip=skip)
            parts = prompt_schedules(prompt, calls)
            assert [part.share for part in parts] == pytest.approx([share for share, _ in answer["positive"]])
            case = golden[f"{skip}|{calls}|{prompt}"] = []
            away = prompt_schedule(prompt, calls)
            for part, (share, schedule) in zip(
                (*parts, away), [*answer["positive"], (1.0, answer["negative"])], strict=True
            ):
                assert list(part.ends) == [end for end, _ in schedule], prompt
                wants = [unpacked(cond["crossattn"]) for _, cond in schedule]
                for found, want in zip(text.encode(part.texts, skip), wants, strict=True):
                    assert np.abs(found.tokens.numpy() - want).max() < 1e-4, prompt
                if part is not away:
                    values = [want[::11, ::13].round(6).flatten().tolist() for want in wants]
                    case.append([share, [[end, v] for (end, _), v in zip(schedule, values, strict=True)]])
    if os.environ.get("WRITE_GOLDEN"):
        GOLDEN.write_text(json.dumps(golden) + "\n", "utf-8")
    committed = json.loads(GOLDEN.read_text("utf-8"))
    assert committed.keys() == golden.keys()
    for name, case in golden.items():
        for (_, one), (_, other) in zip(case, committed[name], strict=True):
            for (_, mine), (_, theirs) in zip(one, other, strict=True):
                assert np.abs(np.subtract(mine, theirs)).max() < 2e-5, name


def test_sdxls_prompts_are_encoded_as_there(reference: ReferenceWebUI) -> None:
    reference.choose("golden-xl")
    engine = reference.opened("golden-xl")
    painter = engine._painter(None)
    sizes = painter.sizes(192, 64)
    assert sizes is not None
    with torch.inference_mode():
        for prompt, negative in (
            ("a red ball in snow", "blue"),
            ("a (red:1.3) [ball] BREAK autumn", ""),
            ("[tree:ball:0.5] AND snow:0.6", "(blue:0.5)"),
        ):
            answer = reference.ask(
                "conds", prompt=prompt, negative=negative, steps=6, clip_skip=1, width=192, height=64
            )
            positive, away = painter.guides(prompt, negative, 6, 1)
            for guide, schedule in zip(
                (*positive, away),
                [*(part for _, part in answer["positive"]), answer["negative"]],
                strict=True,
            ):
                assert list(guide.prompt_schedule.ends) == [end for end, _ in schedule]
                for found, (_, want) in zip(guide.embeddings, schedule, strict=True):
                    assert np.abs(found.tokens.numpy() - unpacked(want["crossattn"])).max() < 1e-4, prompt
                    assert found.pooled is not None
                    added = painter.unet.add_time_proj(sizes.flatten()).flatten()
                    vector = torch.cat([found.pooled, added]).numpy()
                    assert np.abs(vector - unpacked(want["vector"]).flatten()).max() < 1e-4, prompt


def test_levels_are_those_of_there(reference: ReferenceWebUI) -> None:
    reference.choose("golden")
    levels: NoiseLevels = reference.opened("golden")._painter(None).levels
    for steps in (1, 2, 5, 12, 20, 31, 50):
        for spacing in SPACINGS:
            want = unpacked(reference.ask("sigmas", sampler="Euler", scheduler=spacing, steps=steps))
            found = noise_levels(spacing, steps, levels).numpy()
            assert found.shape == want.shape, (spacing, steps)
            assert np.allclose(found, want, rtol=1e-5, atol=0), (spacing, steps)
        for name, sampler in SAMPLERS.items():
            if not sampler.has_spacings:
                continue
            want = unpacked(reference.ask("sigmas", sampler=name, scheduler="Automatic", steps=steps))
            own = ConsistencyLevels.of(levels.alphas) if sampler.consistency else levels
            assert np.allclose(noise_levels(sampler.spacing, steps, own).numpy(), want, rtol=1e-5), name


@pytest.mark.parametrize("source", ["CPU", "NV"])
@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"subseed": 9, "subseed_strength": 0.3},
        {"resize_from": [96, 40]},
        {"resize_from": [32, 64], "subseed": 9, "subseed_strength": 1.0},
        {"delta": 31337},
        {"seed": 2**32 - 1},
    ],
)
def test_noise_is_that_of_there(reference: ReferenceWebUI, source: str, changed: dict[str, Any]) -> None:
    asked = {
        "source": source,
        "shape": [4, 8, 8],
        "seed": 7,
        "levels": [14.6146, 9.0, 3.3, 1.0, 0.0292],
        **changed,
    }
    *draws, one, two, three, four = (unpacked(text) for text in reference.ask("noise", **asked))
    size = changed.get("resize_from")
    noise = PictureNoise(
        (4, 8, 8),
        asked["seed"],
        subseed=changed.get("subseed", 0),
        subseed_strength=changed.get("subseed_strength", 0.0),
        resize_from=None if size is None else (size[0], size[1]),
        ancestral_delta=changed.get("delta", 0),
        source="cpu" if source == "CPU" else "nv",
    )
    for draw, want in zip((noise.first, noise.next, noise.next), draws, strict=True):
        assert np.abs(draw().numpy() - want).max() < 1e-5
    levels = asked["levels"]
    path = BrownianNoise((4, 8, 8), asked["seed"], (levels[-1], levels[0]), noise.normals)
    for (here, there), want in zip(pairwise(levels), (one, two, three, four), strict=True):
        assert np.abs(path.between(here, there).numpy() - want).max() < 1e-5


REQUEST = StillRequest(
    prompt="a red ball in snow, winter",
    negative="blue",
    width=64,
    height=64,
    seed=7,
    steps=6,
    cfg_scale=5,
    sampler="Euler a",
)


FILLS = ("fill", "original", "latent noise", "latent nothing")


def as_png(picture: np.ndarray) -> str:
    png = io.BytesIO()
    Image.fromarray(np.round(picture * 255).astype(np.uint8)).save(png, format="png")
    return base64.b64encode(png.getvalue()).decode()


def there(reference: ReferenceWebUI, request: StillRequest, **more: Any) -> np.ndarray:
    body: dict[str, Any] = {
        "prompt": request.prompt,
        "negative_prompt": request.negative,
        "width": request.width,
        "height": request.height,
        "seed": request.seed,
        "subseed": request.subseed,
        "subseed_strength": request.subseed_strength,
        "steps": request.steps,
        "cfg_scale": request.cfg_scale,
        "sampler_name": request.sampler,
        "scheduler": request.scheduler,
        "eta": request.eta,
        "tiling": request.tiling,
        "override_settings": {"CLIP_stop_at_last_layers": request.clip_skip, **more},
    }
    if request.init is None:
        return reference.still("txt2img", **body)
    body |= {"init_images": [as_png(request.init)], "denoising_strength": request.denoising}
    if request.mask is not None:
        body |= {
            "mask": as_png(request.mask),
            "mask_blur": request.mask_blur,
            "inpainting_fill": FILLS.index(request.fill),
            "inpaint_full_res": request.only_masked,
            "inpaint_full_res_padding": request.only_masked_padding,
        }
    # The WebUI samples the init's latents from the generator that the run before left behind.
    reference.still("txt2img", **{**body, "init_images": []})
    return reference.still("img2img", **body)


def differ(engine: DiffusersEngine, request: StillRequest, want: np.ndarray) -> float:
    """Mean difference of 8 bit pixels; the WebUI cuts what lies behind the point."""
    assert want.std() > 20, "a flat picture says nothing"
    # A kept pixel of 8 bits may come back a rounding below its number.
    found = (engine.still(request) * 255 + 1e-3).astype(np.uint8)
    return float(np.abs(found.astype(int) - want).mean())


def test_every_sampler_and_spacing_paints_as_there(reference: ReferenceWebUI) -> None:
    reference.choose("golden")
    engine = reference.opened("golden")
    far = {}
    for name in SAMPLERS:
        request = replace(REQUEST, sampler=name, cfg_scale=1.5 if name == "LCM" else 5)
        far[name] = differ(engine, request, there(reference, request))
    for spacing in SPACINGS:
        request = replace(REQUEST, sampler="DPM++ 2M", scheduler=spacing)
        far[spacing] = differ(engine, request, there(reference, request))
    init = np.random.default_rng(1).integers(0, 256, (8, 8, 3)).repeat(8, 0).repeat(8, 1) / np.float32(255)
    for name in SAMPLERS:
        request = replace(REQUEST, sampler=name, init=init.astype(np.float32), denoising=0.6)
        far[f"img2img, {name}"] = differ(engine, request, there(reference, request))
    print({what: round(mean, 4) for what, mean in far.items()})  # noqa: T201
    assert {what: mean for what, mean in far.items() if mean > 0.05} == {}


def test_masks_paint_as_there(reference: ReferenceWebUI) -> None:
    reference.choose("golden")
    engine = reference.opened("golden")
    init = np.random.default_rng(1).integers(0, 256, (8, 8, 3)).repeat(8, 0).repeat(8, 1) / np.float32(255)
    mask = np.zeros((64, 64), np.float32)
    mask[12:44, 20:52] = 1
    masked = replace(REQUEST, init=init.astype(np.float32), mask=mask, mask_blur=4, denoising=0.7)
    far, most = {}, {}
    for what, changed in {
        **{fill: {"fill": fill} for fill in FILLS},
        **{f"{fill}, hard": {"fill": fill, "mask_blur": 0} for fill in FILLS},
        "DDIM, hard": {"sampler": "DDIM", "mask_blur": 0},
        "UniPC, hard": {"sampler": "UniPC", "mask_blur": 0},
        "only masked": {"only_masked": True, "only_masked_padding": 8},
    }.items():
        request = replace(masked, **changed)  # type: ignore[arg-type]
        want = there(reference, request)
        far[what] = differ(engine, request, want)
        most[what] = int(
            np.abs((engine.still(request) * 255 + 1e-3).astype(np.uint8).astype(int) - want).max()
        )
    print({what: (round(mean, 4), most[what]) for what, mean in far.items()})  # noqa: T201
    # The WebUI fills and enlarges in 8 bits, and lays soft edges over in 8 bits with an alpha.
    assert {what: mean for what, mean in far.items() if mean > (0.2 if "hard" in what else 0.4)} == {}


def test_seeds_sources_and_switches_paint_as_there(reference: ReferenceWebUI) -> None:
    reference.choose("golden")
    far = {}
    nv = reference.opened("golden", noise="nv")
    for sampler in ("Euler a", "DPM++ SDE", "DPM++ 2M SDE"):
        request = replace(REQUEST, sampler=sampler)
        far[f"nv, {sampler}"] = differ(nv, request, there(reference, request, randn_source="NV"))
    engine, delta = reference.opened("golden"), reference.opened("golden", ancestral_delta=31337)
    far["delta"] = differ(delta, REQUEST, there(reference, REQUEST, eta_noise_seed_delta=31337))
    for what, changed in {
        "subseed": {"subseed": 3, "subseed_strength": 0.4},
        "clip skip": {"clip_skip": 2},
        "eta": {"eta": 0.4},
        "tiling": {"tiling": True},
        "no multiple of 64": {"width": 72, "height": 88},
        "inversion": {"prompt": "a snowtree in (snowtree:1.2)"},
        "and": {"prompt": "red :1.3 AND [blue|snow] :0.4"},
    }.items():
        request = replace(REQUEST, **changed)  # type: ignore[arg-type]
        far[what] = differ(engine, request, there(reference, request))
    print({what: round(mean, 4) for what, mean in far.items()})  # noqa: T201
    assert {what: mean for what, mean in far.items() if mean > 0.05} == {}


@pytest.mark.parametrize("kind", KINDS)
def test_loras_and_related_formats_paint_as_there(reference: ReferenceWebUI, kind: str) -> None:
    reference.choose("golden")
    engine = reference.opened("golden")
    words = f"{REQUEST.prompt} {WORD}" if kind == "bundled" else REQUEST.prompt
    request = replace(REQUEST, prompt=f"{words} <lora:{kind}:0.7>")
    want = there(reference, request)
    if kind == "bundled":
        plain = there(reference, replace(REQUEST, prompt=f"{words} <lora:lora:0.7>"))
        assert np.abs(want.astype(int) - plain).mean() > 2, "the WebUI knows the LoRA's word"
    assert np.abs(want.astype(int) - there(reference, REQUEST)).mean() > 2, "the WebUI applies it"
    assert differ(engine, request, want) < 0.05


def test_sdxl_paints_as_there(reference: ReferenceWebUI) -> None:
    reference.choose("golden-xl")
    engine = reference.opened("golden-xl")
    wide = replace(REQUEST, width=128, negative="")
    far = [differ(engine, request, there(reference, request)) for request in (REQUEST, wide)]
    assert max(far) < 0.05, far
