"""The WebUI engine of a running WebUI, seen from a test outside it, through `engine_door`."""

from __future__ import annotations

import os
import pickle
import shutil
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from importlib.util import module_from_spec, spec_from_file_location
from operator import getitem
from pathlib import Path
from typing import Any

import pytest

from lib_anim.engines.contract.capabilities import Capabilities
from lib_anim.engines.contract.checks import check_clip
from lib_anim.engines.contract.engine import Engine, Interrupted, OnStep
from lib_anim.engines.contract.requests import ClipRequest, StillRequest
from lib_anim.errors import FlipbookError
from lib_anim.types import Picture


class RemoteEngine:
    """An Engine like any other; steps are reported and answered one by one, so that a test can interrupt."""

    def __init__(self, url: str, checkpoint: str | None = None) -> None:
        self._url = url
        self._engine = self._call("open", checkpoint=checkpoint)

    @property
    def name(self) -> str:
        return str(self._property("name"))

    @property
    def capabilities(self) -> Capabilities:
        found: Capabilities = self._property("capabilities")
        return found

    @property
    def fingerprint(self) -> str:
        return str(self._property("fingerprint"))

    @property
    def warnings(self) -> tuple[str, ...]:
        return tuple(self._property("warnings"))

    def still(self, request: StillRequest, on_step: OnStep | None = None) -> Picture:
        return next(self._pictures(request, on_step))

    def clip(self, request: ClipRequest, on_step: OnStep | None = None) -> Iterator[Picture]:
        # The request's own refusal comes at once; its pictures cross as they are.
        check_clip(request, self.capabilities)
        return self._clip(request, on_step)

    def _clip(self, request: ClipRequest, on_step: OnStep | None) -> Iterator[Picture]:
        count = range(len(request.frames))
        given = {
            name: partial(getitem, [picture(index) for index in count])
            for name, picture in (("init", request.init), ("mask", request.mask))
            if picture is not None
        }
        yield from self._pictures(replace(request, **given), on_step)

    def _pictures(self, request: StillRequest | ClipRequest, on_step: OnStep | None) -> Iterator[Picture]:
        asked = self._call("ask", engine=self._engine, request=request)
        raised: BaseException | None = None
        while True:
            what, value = self._call("next", asked=asked)
            if what == "step":
                try:
                    if on_step is not None and raised is None:
                        on_step(*value)
                except Interrupted as end:
                    raised = end
                self._call("answer", asked=asked, go_on=raised is None)
            elif what == "picture":
                yield value
            elif what == "end":
                return
            elif what == "interrupted":
                raise raised or Interrupted
            elif what == "refused":
                raise FlipbookError(*value)
            else:
                raise AssertionError(value)

    def close(self) -> None:
        """The engine goes with its WebUI."""

    def _property(self, name: str) -> Any:
        return self._call("property", engine=self._engine, name=name)

    def upscale(self, picture: Picture, upscaler: str, width: int, height: int) -> Picture:
        sizes = {"upscaler": upscaler, "width": width, "height": height}
        larger: Picture = self._call("upscale", engine=self._engine, picture=picture, **sizes)
        return larger

    def outlived(self, request: StillRequest | ClipRequest) -> int:
        """How many of the host's requests are left after three such works, before Python sweeps up."""
        return int(self._call("outlived", engine=self._engine, request=request))

    def _call(self, route: str, **message: Any) -> Any:
        request = urllib.request.Request(
            f"{self._url}/test-engine/{route}",
            data=pickle.dumps(message),
            headers={"Content-Type": "application/octet-stream"},
        )
        with urllib.request.urlopen(request, timeout=180) as answer:
            return pickle.loads(answer.read())


STYLES = """name,prompt,negative_prompt
ink,"{prompt}, ink on paper",colour
night,at night,
"""
"""What the WebUI of `start_engine` has saved."""


def start_engine(folder: Path) -> Engine:
    """The engine of a WebUI that is started for it and ends with it; skips without WEBUI_ROOT."""
    root = os.environ.get("WEBUI_ROOT")
    if not root:
        pytest.skip("needs a WebUI checkout: WEBUI_ROOT=its folder")
    hosts = loaded(Path(__file__).with_name("running.py"))
    models = folder / "models"
    checkpoints = models / "Stable-diffusion"
    checkpoints.mkdir(parents=True)
    webui = hosts.OwnWebUI(Path(root).resolve(), models, folder / "data")
    webui.run_python(str(Path(__file__).with_name("tiny_checkpoint.py")), root, str(checkpoints))
    webui.add_extension("flipbook")
    (webui.data / "styles.csv").write_text(STYLES)
    shutil.copytree(Path(__file__).with_name("engine_door"), webui.data / "extensions" / "engine_door")
    webui.start()
    return _OwnEngine(webui)


class _OwnEngine(RemoteEngine):
    """Stops its WebUI when it is closed, and fails when that has reported an error."""

    def __init__(self, webui: Any) -> None:
        super().__init__(webui.url)
        self.webui = webui

    def close(self) -> None:
        self.webui.stop()
        assert "*** Error" not in self.webui.log
        assert "Traceback" not in self.webui.log


def loaded(path: Path) -> Any:
    """A file of tests as a module: tests are no package."""
    spec = spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
