"""The API inside the WebUI: in a fake host, and, where there is one, in a real one under its locks."""

from __future__ import annotations

import base64
import json
import re
import sys
import types
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from http.cookiejar import CookieJar
from typing import Any

import pytest

from tests.webui.running import OwnWebUI, WebUI

from .test_host import open_page, reload_ui

V = "/flipbook/v1"

ORDER = {
    "kind": "keyframed",
    "engine": "checker",
    "settings": {"width": 64, "height": 64, "frames": 4, "fps": 8, "prompts": {"0": "a red house"}},
}


def filled(path: str) -> str:
    """A route's path with something in every place that takes a name."""
    return re.sub(r"\{\w+\}", "0", path)


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


@pytest.fixture
def guarded(host: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Makes clients of a host with these locks; its desk paints checkerboards."""
    from fastapi import FastAPI
    from fastapi.testclient import TestClient

    from lib_anim.actions.services import Services
    from tests.api.conftest import Two  # type: ignore[import-not-found]

    services = Services(tmp_path / "home", Two())
    stub: Any = types.ModuleType("lib_anim.webui.host.services")
    stub.services = lambda: services
    monkeypatch.setitem(sys.modules, "lib_anim.webui.host.services", stub)

    def make(api_auth: str | None = None, page: Any = None, tokens: dict[str, str] | None = None) -> Any:
        from lib_anim.webui.host.api import add_routes

        host.shared.cmd_opts.api_auth = api_auth
        app: Any = FastAPI()
        app.auth, app.tokens = page, tokens or {}
        add_routes(None, app)
        return TestClient(app, raise_server_exceptions=False)

    yield make
    services.close()


def routes(client: Any) -> list[tuple[str, str]]:
    """(method, path) of every route of Flipbook's."""
    found = []
    for path, methods in client.app.openapi()["paths"].items():
        if path.startswith(("/flipbook", "/deforum_api")):
            filled = (
                path.replace("{id}", "x").replace("{n}", "0").replace("{kind}", "x").replace("{name}", "x")
            )
            found += [(method.upper(), filled) for method in methods]
    return found


def test_without_locks_everybody_may_come_in(guarded):
    client = guarded()
    assert client.get(f"{V}/kinds").status_code == 200
    assert len(routes(client)) > 30


@pytest.mark.parametrize(
    ("api_auth", "page", "tokens"),
    [
        ("anna:s3cret", None, {}),
        (None, {"ben": "word"}, {"t0ken": "ben"}),
        ("anna:s3cret", {"ben": "word"}, {"t0ken": "ben"}),
    ],
)
def test_every_route_is_401_without_credentials(guarded, api_auth, page, tokens):
    client = guarded(api_auth, page, tokens)
    for method, path in routes(client):
        assert client.request(method, path).status_code == 401, (method, path)
        assert client.request(method, path, headers=basic("anna", "wrong")).status_code == 401
        assert client.request(method, path, headers=basic("", "")).status_code == 401
        assert client.request(method, path, headers={"Cookie": "access-token=guess"}).status_code == 401
        assert client.request(method, path, headers={"Authorization": "Basic ###"}).status_code == 401


def test_users_of_the_api_and_of_the_page_come_in(guarded):
    client = guarded("anna:s3cret, eve:a:b", {"ben": "word"}, {"t0ken": "ben"})
    for headers in (
        basic("anna", "s3cret"),
        basic("eve", "a:b"),
        basic("ben", "word"),
        {"Cookie": "access-token=t0ken"},
        {"Cookie": "access-token-unsecure=t0ken"},
    ):
        assert client.get(f"{V}/kinds", headers=headers).status_code == 200


def test_a_page_of_another_origin_changes_nothing(guarded):
    client = guarded(None, {"ben": "word"}, {"t0ken": "ben"})
    cookie = {"Cookie": "access-token=t0ken"}
    foreign = {**cookie, "Origin": "https://evil.example"}
    for path in (f"{V}/jobs", f"{V}/curves"):
        assert client.post(path, json={}, headers=foreign).status_code == 403
    assert client.post(f"{V}/jobs/x/resume", headers=foreign).status_code == 403
    assert client.delete(f"{V}/trash", headers=foreign).status_code == 403
    own = {**cookie, "Origin": "http://testserver"}
    assert client.post(f"{V}/jobs/x/resume", headers=own).status_code == 404
    # A form of another page can send text, but no JSON.
    plain = {**cookie, "Content-Type": "text/plain"}
    assert client.post(f"{V}/jobs", content="{}", headers=plain).status_code == 415


@pytest.mark.parametrize("flag", ["share", "listen", "ngrok", "hide_ui_dir_config"])
def test_a_host_that_others_can_reach_is_shared(host, monkeypatch, flag):
    engines: Any = types.ModuleType("lib_anim.webui.engine.catalog")
    engines.HostEngines = object
    monkeypatch.setitem(sys.modules, "lib_anim.webui.engine.catalog", engines)
    from lib_anim.webui.host.services import places

    assert places().open
    setattr(host.shared.cmd_opts, flag, True)
    host.shared.cmd_opts.flipbook_allow = ["/media/clips"]
    host.shared.opts.outdir_txt2img_samples = "outputs/mine"
    found = places()
    assert not found.open
    names = [str(root) for root in found.roots]
    assert "/media/clips" in names
    assert any(name.endswith("mine") for name in names)


# In a real WebUI.


def wait_for_end(webui: WebUI, id: str, headers: dict[str, str] | None = None) -> dict[str, Any]:
    """Follows the job's events to their end."""
    request = urllib.request.Request(f"{webui.url}{V}/jobs/{id}/events", headers=headers or {})
    with urllib.request.urlopen(request, timeout=120) as stream:
        for _ in stream:
            pass
    request = urllib.request.Request(f"{webui.url}{V}/jobs/{id}", headers=headers or {})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return dict(json.load(answer))


@pytest.mark.webui
def test_the_webui_makes_a_film_through_the_api(webui: WebUI) -> None:
    settings = {**ORDER["settings"], "steps": 2, "seed": 3, "zoom": 1}
    status, answer = webui.request(f"{V}/jobs", {"kind": "keyframed", "settings": settings})
    assert status == 202, answer
    job = wait_for_end(webui, answer["ids"][0])
    assert (job["status"], job["frames_done"], job["error"]) == ("done", 4, None)
    assert job["engine"].startswith("webui:")
    with urllib.request.urlopen(webui.url + job["outputs"]["film"], timeout=60) as film:
        assert film.headers["Content-Type"] == "video/mp4"
        assert film.read(8)[4:] == b"ftyp"
    status, answer = webui.request(f"{V}/jobs", {"kind": "keyframed", "settings": {"zoom": "0:("}})
    assert status == 422
    assert answer["errors"][0]["field"] == "zoom"


@pytest.mark.webui
@pytest.mark.slow
def test_the_webuis_own_locks_guard_every_route(start_webui: Callable[[str], OwnWebUI]) -> None:
    webui = start_webui("with locks")
    webui.add_extension("flipbook")
    webui.flags += ["--api-auth", "anna:s3cret", "--gradio-auth", "ben:word"]
    webui.start()
    try:
        with urllib.request.urlopen(f"{webui.url}/openapi.json", timeout=60) as answer:
            paths = json.load(answer)["paths"]
        ours = [path for path in paths if path.startswith(("/flipbook", "/deforum_api"))]
        assert len(ours) > 25
        for path in ours:
            for method in paths[path]:
                assert asked(webui, method, path) == 401, (method, path)
        assert asked(webui, "get", f"{V}/kinds", basic("anna", "s3cret")) == 200
        assert asked(webui, "get", f"{V}/kinds", basic("anna", "guess")) == 401
        # A login on the page, as the browser makes it: its cookie opens the routes.
        cookies = CookieJar()
        browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(cookies))
        form = urllib.parse.urlencode({"username": "ben", "password": "word"}).encode()
        browser.open(f"{webui.url}/login", form, timeout=60).close()
        with browser.open(f"{webui.url}{V}/kinds", timeout=60) as answer:
            assert answer.status == 200
    finally:
        webui.stop()


@pytest.mark.webui
@pytest.mark.slow
def test_the_tab_and_its_routes_need_no_api_flag(start_webui: Callable[[str], OwnWebUI]) -> None:
    webui = start_webui("without api")
    webui.api = False
    webui.add_extension("flipbook")
    webui.start()
    try:
        assert asked(webui, "get", "/sdapi/v1/options") == 404
        with urllib.request.urlopen(f"{webui.url}/config", timeout=60) as answer:
            named = {component["props"].get("elem_id") for component in json.load(answer)["components"]}
        assert {"tab_flipbook", "flipbook_tab_keyframed_generate"} <= named
        question = {"schedules": {"zoom": "0:(1), 4:(2)", "angle": "0:("}, "frames": 5}
        status, answer = webui.request(f"{V}/curves", question)
        assert (status, list(answer["curves"]), list(answer["errors"])) == (200, ["zoom"], ["angle"])
        settings = {**ORDER["settings"], "steps": 2, "seed": 3, "zoom": 1}
        status, answer = webui.request(f"{V}/jobs", {"kind": "keyframed", "settings": settings})
        assert status == 202, answer
        job = wait_for_end(webui, answer["ids"][0])
        assert (job["status"], job["frames_done"], job["error"]) == ("done", 4, None)
        whole = urllib.request.Request(webui.url + job["outputs"]["film"], headers={"Range": "bytes=4-7"})
        with urllib.request.urlopen(whole, timeout=60) as piece:
            assert (piece.status, piece.read()) == (206, b"ftyp")
    finally:
        webui.stop()


def asked(webui: WebUI, method: str, path: str, headers: dict[str, str] | None = None) -> int:
    request = urllib.request.Request(webui.url + filled(path), method=method.upper(), headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


@pytest.mark.webui
def test_reload_ui_leaves_one_worker_and_the_film_goes_on(webui: WebUI, page: Any) -> None:
    if not isinstance(webui, OwnWebUI):
        pytest.skip("needs a WebUI whose output can be read: WEBUI_ROOT")
    open_page(page, webui.url)
    status, answer = webui.request(f"{V}/jobs", {**ORDER, "settings": {**ORDER["settings"], "frames": 600}})
    assert status == 202, answer
    reload_ui(page, webui)
    job = wait_for_end(webui, answer["ids"][0])
    assert (job["status"], job["frames_done"]) == ("done", 600)
    assert len(list((webui.data / "flipbook" / ".workers").iterdir())) == 1
