"""Addresses in settings: fetched as the host allows, and never what is local when that is forbidden."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from lib_anim.actions import remote_files as module
from lib_anim.actions.remote_files import RemoteFiles
from lib_anim.actions.services import Services
from lib_anim.actions.uploads import Uploads
from lib_anim.errors import FlipbookError
from lib_anim.media.pictures import write_picture

from .conftest import SETTINGS, Checkers, ended


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[str, list[str]]]:
    """A web server on this machine, and what was asked of it."""
    asked: list[str] = []
    picture = write_picture(tmp_path / "p.png", np.full((64, 64, 3), 99, np.uint8)).read_bytes()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            where = {"/turn": "/picture.png", "/round": "/round", "/away": "http://169.254.169.254/x"}
            if self.path in where:
                self.send_response(302)
                self.send_header("Location", where[self.path])
                self.end_headers()
                return
            self.send_response(200 if self.path != "/gone" else 404)
            self.end_headers()
            self.wfile.write(picture if self.path == "/picture.png" else b"<html>hello</html>" * 10)

        def log_message(self, *args: object) -> None:
            """Quiet."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()
        thread.join()


@pytest.fixture
def uploads(tmp_path: Path) -> Uploads:
    return Uploads(tmp_path / "uploads")


def test_nothing_is_fetched_unless_the_host_allows_it(uploads, site):
    url, asked = site
    with pytest.raises(FlipbookError, match="not downloaded here"):
        RemoteFiles(enable=False, forbid_local=False).fetch(f"{url}/picture.png", uploads, "init_image")
    assert asked == []


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "127.1", "2130706433", "[::1]", "0.0.0.0"])
def test_this_machine_is_not_asked_when_that_is_forbidden(uploads, site, name):
    url, asked = site
    port = url.rpartition(":")[2]
    with pytest.raises(FlipbookError, match=r"not allowed here|cannot be fetched"):
        RemoteFiles(enable=True).fetch(f"http://{name}:{port}/picture.png", uploads, "init_image")
    assert asked == []


@pytest.mark.parametrize(
    "number",
    [
        "10.0.0.1",
        "192.168.1.1",
        "172.16.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "fe80::1",
        "fc00::1",
        "::ffff:10.0.0.1",
    ],
)
def test_numbers_of_networks_nearby_are_local(uploads, monkeypatch, number):
    def resolve(host, port, **more):
        return [(0, 0, 0, "", (number, port))]

    monkeypatch.setattr(module.socket, "getaddrinfo", resolve)
    monkeypatch.setattr(module.socket, "create_connection", lambda *a: pytest.fail("it was called"))
    with pytest.raises(FlipbookError, match="not allowed here"):
        RemoteFiles(enable=True).fetch("http://innocent.example/a.png", uploads, "init_image")


def test_a_name_with_one_local_number_is_refused_and_the_checked_one_is_called(uploads, monkeypatch):
    numbers = [["93.184.216.34", "127.0.0.1"], ["93.184.216.34"]]
    called: list[str] = []
    monkeypatch.setattr(
        module.socket, "getaddrinfo", lambda h, p, **m: [(0, 0, 0, "", (n, p)) for n in numbers[0]]
    )

    def connect(address, timeout):
        called.append(address[0])
        raise OSError(111, "nobody there")

    monkeypatch.setattr(module.socket, "create_connection", connect)
    with pytest.raises(FlipbookError, match="not allowed here"):
        RemoteFiles(enable=True).fetch("http://two.example/a.png", uploads, "init_image")
    assert called == []
    numbers.pop(0)
    with pytest.raises(FlipbookError, match="nobody there"):
        RemoteFiles(enable=True).fetch("http://two.example/a.png", uploads, "init_image")
    assert called == ["93.184.216.34"]


def test_what_is_fetched_is_an_upload_like_any_other(uploads, site):
    url, asked = site
    allowed = RemoteFiles(enable=True, forbid_local=False)
    address = allowed.fetch(f"{url}/turn", uploads, "init_image")
    assert asked == ["/turn", "/picture.png"]
    assert uploads.path(address).suffix == ".png"
    for path, sentence in (("/page", "not a film"), ("/gone", "404"), ("/round", "without end")):
        with pytest.raises(FlipbookError, match=sentence) as refused:
            allowed.fetch(url + path, uploads, "init_image")
        assert refused.value.problems[0].field == "init_image"
        assert url not in str(refused.value)


def test_every_turn_is_checked_again(uploads, site, monkeypatch):
    url, _ = site
    local_first = RemoteFiles(enable=True, forbid_local=True)
    real = module._is_public
    monkeypatch.setattr(module, "_is_public", lambda number: number == "127.0.0.1" or real(number))
    with pytest.raises(FlipbookError, match="not allowed here"):
        local_first.fetch(f"{url}/away", uploads, "init_image")


@pytest.mark.parametrize("address", ["http:///a.png", "https://", "http://[::1", "http://exa mple/a"])
def test_what_is_no_address_is_a_sentence(uploads, address):
    with pytest.raises(FlipbookError):
        RemoteFiles(enable=True, forbid_local=False).fetch(address, uploads, "init_image")


def test_settings_may_name_addresses_where_the_host_allows_it(tmp_path, site):
    url, _ = site
    services = Services(
        tmp_path / "home", Checkers(), remote=lambda: RemoteFiles(enable=True, forbid_local=False)
    )
    record = ended(
        services, services.jobs.submit("keyframed", {**SETTINGS, "init_image": f"{url}/picture.png"})
    )
    assert record.status == "done"
    assert ".uploads" in record.settings["init_image"]
    services.close()
    strict = Services(tmp_path / "other", Checkers())
    with pytest.raises(FlipbookError, match="not downloaded here"):
        strict.jobs.submit("keyframed", {**SETTINGS, "init_image": f"{url}/picture.png"})
    for scheme in ("ftp", "file", "data", "concat"):
        with pytest.raises(FlipbookError):
            strict.jobs.submit("keyframed", {**SETTINGS, "init_image": f"{scheme}://x/picture.png"})
    strict.close()
