"""Measures a film by mov2mov and by Flipbook in one real WebUI: time beside the diffusion, and memory.

    WEBUI_ROOT=… WEBUI_MOV2MOV=… python benchmarks/mov2mov.py [--frames 100] [--size 512] [--idle SECONDS]

`WEBUI_ROOT` is a checkout of AUTOMATIC1111's WebUI (`WEBUI_HOST_PYTHON`: the interpreter with its packages,
else its `venv`), `WEBUI_MOV2MOV` one of sd-webui-mov2mov; neither is changed. The WebUI is started with both
extensions and a small random checkpoint. A third extension, `mov2mov_door`, counts inside the process: the
time of text encoder, VAE and sampler, and the highest memory (VmHWM, reset before each film). "host" is the
WebUI's own loop over frames that are in memory, nothing kept or written: the diffusion itself, with what the
WebUI does around every picture. "beside" is the wall time less the networks', "over the host" is that less
the host's. The least of all rounds counts: what else the machine does only adds.

`--idle` puts waiting in the place of the networks' work, as on a machine whose GPU does it. Without the two
variables nothing is measured, and it says so.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

from benchmarks.films import make_film  # noqa: E402
from lib_anim.media.read import open_source  # noqa: E402
from tests.webui.running import OwnWebUI  # noqa: E402

FILM = {
    "prompt": "a house in winter",
    "steps": 2,
    "sampler": "Euler a",
    "cfg_scale": 7.0,
    "seed": 3,
    "denoising": 0.5,
    "fps": 24,
}


def ask(url: str, path: str, body: Any = None) -> Any:
    """JSON of a GET, or of a POST of `body`."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{url}{path}", data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=3600) as answer:
        return json.load(answer)


def by_flipbook(url: str, body: dict[str, Any]) -> str:
    """The address of a job's film, after waiting from its submission until it is done."""
    names = {"prompt": "prompts", "size": "width"}
    settings = {names.get(name, name): value for name, value in body.items()}
    settings["height"] = body["size"]
    (job,) = ask(url, "/flipbook/v1/jobs", {"kind": "restyle", "settings": settings})["ids"]
    while True:
        found = ask(url, f"/flipbook/v1/jobs/{job}")
        if found["status"] == "done":
            return f"{url}/flipbook/v1/jobs/{job}/film"
        if found["status"] not in ("queued", "running"):
            raise SystemExit(f"the film is {found['status']}: {found['error']}")
        time.sleep(0.05)


def measured(url: str, who: str, body: dict[str, Any]) -> dict[str, Any]:
    """Seconds and MiB of one film."""
    before = ask(url, "/bench/begin", {})["memory"]
    begin = time.perf_counter()
    film = by_flipbook(url, body) if who == "Flipbook" else ask(url, f"/bench/{who}", body)["answer"]
    wall = time.perf_counter() - begin
    found = ask(url, "/bench/figures")
    if who == "host":
        wall, film = float(film), ""
    return {
        "wall": wall,
        "networks": found["networks"],
        "beside": wall - found["networks"],
        "peak": found["peak"],
        "grown": found["peak"] - before,
        "pictures": found["pictures"],
        "film": film,
    }


def started(folder: Path) -> OwnWebUI:
    """A WebUI with both extensions and the door, from what the tests of the WebUI start theirs with."""
    place = REPOSITORY / "tests" / "webui"
    models = folder / "models"
    (models / "Stable-diffusion").mkdir(parents=True)
    root = Path(os.environ["WEBUI_ROOT"]).resolve()
    webui = OwnWebUI(root, models, folder / "data")
    webui.run_python(str(place / "tiny_checkpoint.py"), str(root), str(models / "Stable-diffusion"))
    webui.add_extension("flipbook")
    extensions = webui.data / "extensions"
    shutil.copytree(os.environ["WEBUI_MOV2MOV"], extensions / "sd-webui-mov2mov")
    shutil.copytree(Path(__file__).with_name("mov2mov_door"), extensions / "mov2mov_door")
    webui.start()
    return webui


def told(rounds: list[dict[str, dict[str, Any]]], frames: int) -> None:
    """The table: the least of the rounds."""
    titles = ("wall s", "networks s", "beside ms/frame", "over the host", "peak MiB", "grown by MiB")
    print(f"{'':10s}" + "".join(f"{title:>17s}" for title in titles))
    found: dict[str, tuple[float, float]] = {}
    host = min(one["host"]["beside"] for one in rounds)
    for who in rounds[0]:
        least = {
            name: min(one[who][name] for one in rounds) for name in ("wall", "networks", "beside", "peak")
        }
        over = 1000 * (least["beside"] - host) / frames
        grown = max(one[who]["grown"] for one in rounds)
        found[who] = over, grown
        figures = (
            least["wall"],
            least["networks"],
            1000 * least["beside"] / frames,
            over,
            least["peak"],
            grown,
        )
        print(f"{who:10s}" + "".join(f"{figure:17.1f}" for figure in figures))
    (ours, our_memory), (theirs, their_memory) = found["Flipbook"], found["mov2mov"]
    print(f"over the host: {ours / theirs:.2f} of mov2mov's; grown by: {our_memory / their_memory:.2f}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--url", help="a running WebUI with all three, instead of a new one")
    parser.add_argument("--idle", type=float, metavar="SECONDS", help="wait so long for each picture")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if not options.url and not {"WEBUI_ROOT", "WEBUI_MOV2MOV"} <= set(os.environ):
        print("not measured: needs WEBUI_ROOT and WEBUI_MOV2MOV, folders of a WebUI and of sd-webui-mov2mov")
        return
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        webui = None if options.url else started(folder)
        url = options.url or webui.url
        rounds = []
        try:
            ask(url, "/bench/ready", {"idle": options.idle})
            few = {**FILM, "size": options.size, "video": str(make_film(folder / "few.mp4", 4, options.size))}
            body = {**few, "video": str(make_film(folder / "v.mp4", options.frames, options.size))}
            for who in ("Flipbook", "mov2mov", "host"):
                measured(url, who, few)
            for _ in range(options.rounds):
                rounds.append({who: measured(url, who, body) for who in ("Flipbook", "mov2mov", "host")})
            for who in ("Flipbook", "mov2mov"):
                film = rounds[-1][who]["film"]
                if film.startswith("http"):
                    film, _ = urllib.request.urlretrieve(film, folder / "ours.mp4")
                with open_source(Path(film)) as source:
                    print(f"{who}'s film: {source.info.frames} frames at {source.info.rate}/s")
        finally:
            if webui is not None:
                webui.stop()
    told(rounds, options.frames)
    if options.json:
        options.json.write_text(json.dumps(rounds, indent=1))


if __name__ == "__main__":
    main()
