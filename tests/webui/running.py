"""A real WebUI that runs: asked over HTTP, or started and stopped by the tests."""

from __future__ import annotations

import base64
import io
import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

REPOSITORY = Path(__file__).resolve().parents[2]
NOT_INSTALLED = shutil.ignore_patterns(
    ".*", "__pycache__", "*.egg-info", "out", "build", "tests", "benchmarks"
)
START_SECONDS = 240


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
        # Spinning threads that compete with other processes slow a still from 4 s to 26 s.
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
