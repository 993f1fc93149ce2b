"""Two hosts: a fake one for unit tests, and the real WebUI that WEBUI_ROOT or WEBUI_URL names.

`WEBUI_ROOT` is a checkout of AUTOMATIC1111's WebUI with its packages installed in `venv` (or for the
interpreter named by `WEBUI_HOST_PYTHON`). It is started from there with a data directory and a checkpoint
of its own, so nothing in the checkout changes but the packages that install.py adds. `WEBUI_URL` is a
running WebUI that has the extension; what needs a WebUI without it is skipped then.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.webui.running import REPOSITORY, OwnWebUI, WebUI


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
    # Both need torch, which the environment of these tests does not have.
    engines = types.SimpleNamespace(HostEngines=FakeEngines)
    monkeypatch.setitem(sys.modules, "lib_anim.webui.engine.catalog", engines)
    files = types.SimpleNamespace(
        module_names=lambda: ["mm.safetensors"], module_sentence=lambda name: name, refresh_button=None
    )
    monkeypatch.setitem(sys.modules, "lib_anim.webui.clip.motion_files", files)
    yield FakeHost(enabled=enabled, **parts)
    forget_adapter()


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
    webui = clip_webui(tmp_path_factory.mktemp("clips"), "sd-webui-controlnet")
    yield webui
    webui.stop()
    assert "*** Error" not in webui.log
    assert "Traceback" not in webui.log


def clip_webui(folder: Path, control_name: str, *flags: str) -> OwnWebUI:
    """Starts a WebUI as `clip_host` tells, with `flags` of its own.

    ControlNet's folder is named `control_name`: hosts sort by it.
    """
    pytest.importorskip("diffusers", reason="makes motion modules: run it with .venv")
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
    """Requests for clips: clip_requests.py, loaded by its path since tests are not a package."""
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
    """RemoteEngine of remote_engine.py, loaded by its path since tests are not a package."""
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
