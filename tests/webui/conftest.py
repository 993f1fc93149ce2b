"""Two hosts: a fake one for unit tests, and the real WebUI that WEBUI_ROOT or WEBUI_URL names.

`WEBUI_ROOT` is a checkout of AUTOMATIC1111's WebUI with its packages installed in `venv` (or for the
interpreter named by `WEBUI_HOST_PYTHON`). It is started from there with a data directory and a checkpoint
of its own, so nothing in the checkout changes but the packages that install.py adds. `WEBUI_URL` is a
running WebUI that has the extension; what needs a WebUI without it is skipped then.
"""

from __future__ import annotations

import base64
import importlib.util
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import types
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

REPOSITORY = Path(__file__).resolve().parents[2]
NOT_INSTALLED = shutil.ignore_patterns(
    ".*", "__pycache__", "*.egg-info", "out", "build", "tests", "benchmarks"
)
START_SECONDS = 240


def fake_script_callbacks() -> types.ModuleType:
    """The host's registry as far as Flipbook uses it: what is registered twice is called twice."""
    module: Any = types.ModuleType("modules.script_callbacks")
    module.ui_tabs = []
    module.app_started = []
    module.after_component = []
    module.cfg_denoiser = []
    module.cfg_denoised = []
    module.before_ui = []
    lists = (
        module.ui_tabs,
        module.app_started,
        module.after_component,
        module.cfg_denoiser,
        module.cfg_denoised,
        module.before_ui,
    )

    def remove(function: Callable[..., Any]) -> None:
        for known in lists:
            known[:] = [hook for hook in known if hook != function]

    def clear() -> None:
        for known in lists:
            known.clear()

    module.on_ui_tabs = module.ui_tabs.append
    module.on_app_started = module.app_started.append
    module.on_after_component = module.after_component.append
    module.on_cfg_denoiser = module.cfg_denoiser.append
    module.on_cfg_denoised = module.cfg_denoised.append
    module.on_before_ui = module.before_ui.append
    module.clear_callbacks = clear
    module.remove_callbacks_for_function = remove
    return module


class FakeHost(types.SimpleNamespace):
    """Stands for the package `modules`: script_callbacks, scripts, extensions, shared, paths."""

    def add_extension(self, folder: Path, *files: str) -> None:
        """Puts an enabled extension with these empty files into the list of extensions."""
        for file in files:
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).touch()
        self.enabled.append(types.SimpleNamespace(name=folder.name, path=str(folder)))


class FakeEngines:
    """Engines of a WebUI with one checkpoint that is never loaded."""

    default = "webui:fake"

    def names(self) -> list[str]:
        return [self.default]

    def title(self, name: str) -> str:
        return name

    def capabilities(self, name: str) -> None:
        return None

    def models(self) -> dict[str, list[str]]:
        return {}

    def close(self) -> None:
        """Nothing is open."""


class FakeRunner:
    """The host's runner of scripts where none are installed."""

    def __init__(self) -> None:
        self.alwayson_scripts: list[Any] = []
        self.scripts: list[Any] = []
        self.inputs: list[Any] = [None]

    def initialize_scripts(self, is_img2img: bool) -> None:
        """Nothing is installed."""

    def prepare_ui(self) -> None:
        """Nothing is drawn."""

    def setup_ui_for_section(self, section: str | None) -> None:
        """Nothing is drawn."""


def forget_adapter() -> None:
    """Drops the adapter's modules, which hold on to the host that they were imported in."""
    for name in [name for name in sys.modules if name.startswith("lib_anim.webui.")]:
        del sys.modules[name]


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeHost]:
    """The fake host, in which `lib_anim.webui` can be imported for the length of one test."""
    pytest.importorskip("gradio", reason="needs the WebUI's packages: make test-webui-env")
    always_visible = object()
    enabled: list[Any] = []
    parts: dict[str, Any] = {
        "script_callbacks": fake_script_callbacks(),
        "scripts": types.SimpleNamespace(
            Script=type("Script", (), {"is_img2img": False}),
            AlwaysVisible=always_visible,
            ScriptRunner=FakeRunner,
            scripts_current=None,
        ),
        "extensions": types.SimpleNamespace(active=lambda: enabled),
        "shared": types.SimpleNamespace(cmd_opts=types.SimpleNamespace(), opts=types.SimpleNamespace()),
        "paths": types.SimpleNamespace(data_path=str(tmp_path)),
        "paths_internal": types.SimpleNamespace(default_output_dir=str(tmp_path / "outputs")),
    }
    package: Any = types.ModuleType("modules")
    monkeypatch.setitem(sys.modules, "modules", package)
    for name, part in parts.items():
        setattr(package, name, part)
        monkeypatch.setitem(sys.modules, f"modules.{name}", part)
    forget_adapter()
    # Both need torch, which is not installed beside the WebUI's other packages.
    engines = types.SimpleNamespace(HostEngines=FakeEngines)
    monkeypatch.setitem(sys.modules, "lib_anim.webui.engines", engines)
    files = types.SimpleNamespace(
        module_names=lambda: ["mm.safetensors"], module_sentence=lambda name: name, refresh_button=None
    )
    monkeypatch.setitem(sys.modules, "lib_anim.webui.motion_files", files)
    yield FakeHost(enabled=enabled, **parts)
    forget_adapter()


class WebUI:
    """A running WebUI and its HTTP API."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    def request(self, path: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
        """Status and JSON of a GET, or of a POST of `body`."""
        request = urllib.request.Request(
            f"{self.url}{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def still(self, mode: str = "txt2img", **changes: Any) -> np.ndarray:
        """Pixels of one still, uint8 RGB (H, W, 3): a fixed prompt and seed unless `changes` has others."""
        body = {
            "prompt": "a red house, autumn",
            "negative_prompt": "blue",
            "seed": 7,
            "steps": 4,
            "width": 128,
            "height": 128,
            "sampler_name": "Euler a",
            **changes,
        }
        status, answer = self.request(f"/sdapi/v1/{mode}", body)
        assert status == 200, answer
        return np.asarray(Image.open(io.BytesIO(base64.b64decode(answer["images"][0]))))

    def stills(self) -> dict[str, np.ndarray]:
        """A still of every kind, in a fixed order: the host's img2img depends on the request before it."""
        stills = {"txt2img": self.still()}
        png = io.BytesIO()
        Image.fromarray(stills["txt2img"]).save(png, format="png")
        init = base64.b64encode(png.getvalue()).decode()
        stills["img2img"] = self.still("img2img", init_images=[init], denoising_strength=0.6)
        stills["hires"] = self.still(
            enable_hr=True, hr_scale=1.5, hr_upscaler="Latent", denoising_strength=0.7, hr_second_pass_steps=3
        )
        stills["DDIM"] = self.still(sampler_name="DDIM", prompt="snow AND a house")
        return stills


class OwnWebUI(WebUI):
    """A WebUI that the tests start and stop, with a data directory and a checkpoint of its own."""

    def __init__(self, root: Path, models: Path, data: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        super().__init__(f"http://127.0.0.1:{port}")
        self.root = root
        self.models = models
        self.data = data
        self.log_path = data / "webui.log"
        self.api = True
        """Whether it is started with its own API."""
        self.flags = ["--data-dir", str(data), "--models-dir", str(models), "--port", str(port)]
        data.mkdir(parents=True)

    @property
    def python(self) -> Path:
        """The interpreter that has the WebUI's packages."""
        usual = "Scripts/python.exe" if os.name == "nt" else "bin/python"
        return Path(os.environ.get("WEBUI_HOST_PYTHON") or self.root / "venv" / usual)

    @property
    def log(self) -> str:
        """What the process has printed so far."""
        return self.log_path.read_text(encoding="utf-8", errors="replace")

    def run_python(self, *arguments: str) -> str:
        """Runs the WebUI's interpreter in its folder to the end; answers what it printed."""
        environment = {**os.environ, "PYTHONPATH": str(self.root)}
        done = subprocess.run(
            [self.python, *arguments],
            cwd=self.root,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def packages(self) -> dict[str, str]:
        """Versions of everything installed, by name."""
        code = "import json, importlib.metadata as m\n"
        code += "print(json.dumps({d.metadata['Name']: d.version for d in m.distributions()}))"
        return dict(json.loads(self.run_python("-c", code)))

    def add_extension(self, name: str) -> None:
        """Puts this repository into the WebUI as a clone would, and runs the launcher's installers."""
        shutil.copytree(REPOSITORY, self.data / "extensions" / name, ignore=NOT_INSTALLED)
        code = "from modules import launch_utils as u; u.run_extensions_installers(u.args.ui_settings_file)"
        self.run_python("-c", code, *self.flags)

    def start(self) -> None:
        """Starts the process and waits until it can make pictures."""
        flags = (
            "--skip-prepare-environment --skip-torch-cuda-test --skip-version-check --use-cpu all --no-half"
        )
        flags += " --no-download-sd-model --do-not-download-clip --disable-console-progressbars"
        flags += " --api" if self.api else ""
        offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "SD_WEBUI_RESTARTING": "1"}
        # Threads that spin beside other processes make a still of 4 s take 26.
        offline |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen(
                [self.python, "launch.py", *flags.split(), *self.flags],
                cwd=self.root,
                env={**os.environ, **offline, "PYTHONUNBUFFERED": "1", "GRADIO_ANALYTICS_ENABLED": "False"},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.wait_for("Startup time:", 1)

    def wait_for(self, line: str, times: int) -> None:
        """Waits until the process has printed `line` so often.

        Reading along is the only harmless way: the host ends with an error when a request arrives while it
        still adds its routes, and answers others with 500.
        """
        deadline = time.monotonic() + START_SECONDS
        while self.log.count(line) < times:
            assert self.process.poll() is None, self.log
            assert time.monotonic() < deadline, self.log
            time.sleep(0.2)

    def starts(self) -> int:
        """How often the UI has been started."""
        return self.log.count("Startup time:")

    def stop(self) -> None:
        """Ends the process."""
        self.process.terminate()
        self.process.wait(timeout=30)


@pytest.fixture(scope="session")
def webui_root() -> Path:
    """The checkout named by WEBUI_ROOT; skips without."""
    root = os.environ.get("WEBUI_ROOT")
    if not root:
        pytest.skip("needs a WebUI checkout: WEBUI_ROOT=its folder")
    return Path(root).resolve()


@pytest.fixture(scope="session")
def start_webui(
    webui_root: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], OwnWebUI]]:
    """Makes WebUIs that share one small checkpoint, not yet started; ends those still running at the end."""
    base = tmp_path_factory.mktemp("web ui 映画")
    models = base / "models"
    checkpoints = models / "Stable-diffusion"
    checkpoints.mkdir(parents=True)
    made: list[OwnWebUI] = []

    def make(name: str) -> OwnWebUI:
        made.append(OwnWebUI(webui_root, models, base / name))
        if len(made) == 1:
            script = str(Path(__file__).with_name("tiny_checkpoint.py"))
            made[0].run_python(script, str(webui_root), str(checkpoints))
        return made[-1]

    yield make
    for webui in made:
        if hasattr(webui, "process") and webui.process.poll() is None:
            webui.stop()


@pytest.fixture(scope="session")
def webui(request: pytest.FixtureRequest) -> Iterator[WebUI]:
    """A WebUI with the extension. Whatever it reports as an error fails the tests that used it."""
    url = os.environ.get("WEBUI_URL")
    if url:
        yield WebUI(url)
        return
    if not os.environ.get("WEBUI_ROOT"):
        pytest.skip(
            "needs a WebUI: WEBUI_ROOT=a checkout of it, or WEBUI_URL=a running one with the extension"
        )
    own: OwnWebUI = request.getfixturevalue("start_webui")("with extension")
    own.add_extension("flipbook")
    own.start()
    yield own
    own.stop()
    assert "*** Error" not in own.log
    assert "Traceback" not in own.log


@pytest.fixture(scope="session")
def stills_without(start_webui: Callable[[str], OwnWebUI]) -> dict[str, np.ndarray]:
    """The stills of a WebUI that has no extension."""
    plain = start_webui("without extension")
    plain.start()
    stills = plain.stills()
    plain.stop()
    return stills


@pytest.fixture(scope="session")
def clip_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebUI]:
    """A WebUI with the extension, motion modules, the doors, and ControlNet where its folder is given.

    `WEBUI_CONTROLNET` names a checkout of sd-webui-controlnet that takes the small checkpoint's width, and
    `WEBUI_CONTROLNET_MODELS` a folder with a network for it; `WEBUI_ADETAILER` one of adetailer, which comes
    with a detector for tests. `WEBUI_CLIP_URL` is a running WebUI like this.
    """
    url = os.environ.get("WEBUI_CLIP_URL")
    if url:
        yield WebUI(url)
        return
    if not os.environ.get("WEBUI_ROOT"):
        pytest.skip("needs a WebUI checkout: WEBUI_ROOT=its folder")
    pytest.importorskip("diffusers", reason="makes motion modules: run it with .venv")
    webui = clip_webui(tmp_path_factory.mktemp("clips"), "sd-webui-controlnet")
    yield webui
    webui.stop()
    assert "*** Error" not in webui.log
    assert "Traceback" not in webui.log


def clip_webui(folder: Path, control_name: str, *flags: str) -> OwnWebUI:
    """Starts a WebUI as `clip_host` tells, with `flags` of its own.

    ControlNet's folder is named `control_name`: hosts sort by it.
    """
    from safetensors.torch import save_file

    root = Path(os.environ["WEBUI_ROOT"]).resolve()
    models = folder / "models"
    (models / "Stable-diffusion").mkdir(parents=True)
    (models / "AnimateDiff").mkdir()
    spec = importlib.util.spec_from_file_location("motion_conftest", REPOSITORY / "tests/motion/conftest.py")
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    for version in ("v1", "v3"):
        kind = made.KINDS[version]
        tensors = made.native((32, 64, 64, 64), kind["positions"], mid=kind["mid"])
        path = models / "AnimateDiff" / f"{version}.safetensors"
        save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, path)
    webui = OwnWebUI(root, models, folder / "data")
    webui.flags += flags
    script = str(Path(__file__).with_name("tiny_checkpoint.py"))
    webui.run_python(script, str(root), str(models / "Stable-diffusion"))
    webui.add_extension("flipbook")
    extensions = webui.data / "extensions"
    for door in ("clip_door", "engine_door"):
        shutil.copytree(Path(__file__).with_name(door), extensions / door)
    control = os.environ.get("WEBUI_CONTROLNET")
    if control:
        shutil.copytree(control, extensions / control_name)
        shutil.copytree(os.environ["WEBUI_CONTROLNET_MODELS"], models / "ControlNet")
    if os.environ.get("WEBUI_ADETAILER"):
        shutil.copytree(os.environ["WEBUI_ADETAILER"], extensions / "adetailer")
        shutil.copytree(Path(__file__).with_name("detector_door"), extensions / "detector_door")
    webui.start()
    return webui


@pytest.fixture(scope="session")
def clips() -> Any:
    """Requests for clips: the file beside this one, as tests are no package."""
    spec = importlib.util.spec_from_file_location(
        "clip_requests", Path(__file__).with_name("clip_requests.py")
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def remote_engine() -> Any:
    """The class of the WebUI's engine from outside: the file beside this one, as tests are no package."""
    spec = importlib.util.spec_from_file_location(
        "remote_engine", Path(__file__).with_name("remote_engine.py")
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.RemoteEngine


@pytest.fixture(scope="session")
def start_clip_webui() -> Callable[..., OwnWebUI]:
    """`clip_webui`, for tests that need one of their own."""
    return clip_webui
