"""What requests must not be able to do. Each test stands for a claim in `docs/guide/api.md`."""

from __future__ import annotations

import json

import numpy as np
import pytest
from fastapi.testclient import TestClient

from lib_anim.actions import uploads
from lib_anim.actions.places import Places
from lib_anim.actions.services import Services
from lib_anim.api import endpoint as route
from lib_anim.api import jobs
from lib_anim.api.endpoint import Pace, TooMany
from lib_anim.api.server import create_app
from lib_anim.media.pictures import read_text, write_picture
from lib_anim.media.probe import probe

from .conftest import ORDER, SETTINGS, Two, V, ended, submit


def test_without_the_token_every_route_is_closed(services):
    app = create_app(services, token="s3cret", hosts=["testserver"])
    client = TestClient(app, raise_server_exceptions=False)
    paths = app.openapi()["paths"]
    assert len(paths) > 25
    for path, methods in paths.items():
        for method in methods:
            for header in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic s3cret"}):
                assert client.request(method, path, headers=header).status_code == 401, (method, path)
    right = {"Authorization": "Bearer s3cret"}
    assert client.get(f"{V}/kinds", headers=right).status_code == 200


def test_a_name_that_leads_here_from_elsewhere_is_not_served(services):
    client = TestClient(create_app(services, hosts=["127.0.0.1", "localhost"]))
    assert client.get(f"{V}/kinds", headers={"Host": "rebound.example"}).status_code == 400
    assert client.get(f"{V}/kinds", headers={"Host": "127.0.0.1:7870"}).status_code == 200


def test_a_page_of_another_origin_changes_nothing(client):
    foreign = {"Origin": "https://evil.example"}
    assert client.post(f"{V}/jobs", json=ORDER, headers=foreign).status_code == 403
    assert client.delete(f"{V}/trash", headers=foreign).status_code == 403
    assert client.post(f"{V}/uploads", content=b"x", headers=foreign).status_code == 403
    assert client.post(f"{V}/jobs", json=ORDER, headers={"Origin": "http://testserver"}).status_code == 202
    assert "access-control-allow-origin" not in client.get(f"{V}/kinds", headers=foreign).headers


def test_bodies_are_bounded_while_they_are_read(client, monkeypatch):
    monkeypatch.setattr(route, "LARGEST_BODY", 1_000)
    sent: list[int] = []

    def endless():
        yield b'{"kind": "'
        for number in range(1_000):
            sent.append(number)
            yield b"x" * 1_000

    answer = client.post(f"{V}/jobs", content=endless(), headers={"Content-Type": "application/json"})
    assert answer.status_code == 413
    assert answer.json()["errors"][0]["field"] == "body"


def test_uploads_are_bounded_while_they_are_read(client, services, monkeypatch):
    monkeypatch.setattr(uploads, "LARGEST", 3 << 20)
    answer = client.post(f"{V}/uploads", content=b"\x89PNG\r\n\x1a\n" + b"x" * (4 << 20))
    assert answer.status_code == 413
    assert not list(services.uploads.folder.iterdir())


def test_an_upload_is_sniffed_not_believed(client, services):
    page = b"<html><script>alert(1)</script></html>" * 10
    answer = client.post(f"{V}/uploads", content=page, headers={"Content-Type": "image/png"})
    assert answer.status_code == 422
    assert not list(services.uploads.folder.iterdir())


def test_an_upload_starts_a_film(client, tmp_path):
    picture = write_picture(tmp_path / "a.png", np.full((64, 64, 3), 99, np.uint8))
    address = client.post(f"{V}/uploads", content=picture.read_bytes()).json()["upload"]
    job = ended(client, submit(client, {**ORDER, "settings": {**SETTINGS, "init_image": address}}))
    assert job["status"] == "done"


def test_jobs_are_bounded_in_rate(services, monkeypatch):
    # So few that none is given back while the others are taken.
    monkeypatch.setattr(jobs, "A_MINUTE", 4)
    client = TestClient(create_app(services, hosts=["testserver"]))
    assert client.post(f"{V}/jobs", json=[ORDER] * 3).status_code == 202
    refused = client.post(f"{V}/jobs", json=[ORDER] * 4)
    assert refused.status_code == 429
    assert refused.headers["retry-after"]
    assert "4 in a minute" in refused.json()["errors"][0]["message"]
    assert len(client.get(f"{V}/jobs").json()["jobs"]) == 3


def test_jobs_that_wait_are_bounded_in_number(services, client, gate, monkeypatch):
    monkeypatch.setattr("lib_anim.actions.jobs.MOST_WAITING", 3)
    submit(client, engine="gate")
    assert gate.reached.wait(30)
    assert client.post(f"{V}/jobs", json=[ORDER] * 3).status_code == 202
    refused = client.post(f"{V}/jobs", json=ORDER)
    assert refused.status_code == 409
    assert "at most 3" in refused.json()["errors"][0]["message"]


def test_a_pace_fills_again():
    now = [0.0]
    pace = Pace(60, now=lambda: now[0])
    pace.take(60, "jobs")
    with pytest.raises(TooMany):
        pace.take(1, "jobs")
    now[0] = 10.0
    pace.take(10, "jobs")
    with pytest.raises(TooMany):
        pace.take(1, "jobs")


def test_event_streams_are_bounded_in_number(client, gate, monkeypatch):
    monkeypatch.setattr(jobs, "MOST_STREAMS", 0)
    id = submit(client, engine="gate")
    assert client.get(f"{V}/jobs/{id}/events").status_code == 409


def test_on_a_shared_host_only_allowed_folders_are_read(tmp_path):
    (tmp_path / "private").mkdir()
    picture = write_picture(tmp_path / "private" / "a.png", np.zeros((64, 64, 3), np.uint8))
    services = Services(tmp_path / "home", Two(), Places(open=False))
    client = TestClient(create_app(services, hosts=["testserver"]), raise_server_exceptions=False)
    answer = client.post(f"{V}/jobs", json={**ORDER, "settings": {**SETTINGS, "init_image": str(picture)}})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "init_image")
    answer = client.post(f"{V}/settings", json={"file": str(tmp_path / "home" / ".queue.sqlite")})
    assert answer.status_code == 422
    services.close()


def test_texts_of_users_stay_texts(client):
    """Answers are JSON and say so; what a browser shows of them is the browser's escaped text."""
    evil = "<script>alert(1)</script>"
    for answer in (
        client.get(f"{V}/presets/{evil.replace('/', '')}"),
        client.get(f"{V}/jobs/{evil.replace('/', '')}"),
        client.post(f"{V}/jobs", json={"kind": evil, "settings": {}}),
        client.post(f"{V}/curves", json={"schedules": {evil: evil}, "frames": 2}),
        client.put(f"{V}/presets/x", json={"kind": "keyframed", "settings": {"positive": evil}}),
    ):
        assert answer.headers["content-type"] == "application/json"
    # A sentence cannot end an event of a stream and begin another one.
    id = submit(client, {**ORDER, "settings": {**SETTINGS, "nothing\n\nevent: status\ndata: {}": 1}})
    ended(client, id)
    with client.stream("GET", f"{V}/jobs/{id}/events") as stream:
        body = stream.read().decode()
    assert "\ndata: {}" not in body


def test_films_and_frames_carry_no_folder_of_the_machine(client, tmp_path):
    (tmp_path / "anna").mkdir()
    picture = write_picture(tmp_path / "anna" / "start.png", np.full((64, 64, 3), 99, np.uint8))
    mask = write_picture(tmp_path / "anna" / "mask.png", np.full((64, 64, 3), 255, np.uint8))
    settings = {
        **SETTINGS,
        "init_image": str(picture),
        "mask_expression": f"[{mask}]",
        "unknown_path": str(picture),
        "deforum": {"batch_path": str(picture), "deep": [str(picture)], "prompt": "10/10 and/or"},
    }
    id = submit(client, {**ORDER, "settings": settings})
    job = ended(client, id)
    assert job["status"] == "done", job
    film = tmp_path / "film.mp4"
    film.write_bytes(client.get(f"{V}/jobs/{id}/film").content)
    comment = probe(film).comment
    carried = json.loads(comment)
    assert (carried["init_image"], carried["mask_expression"]) == ("start.png", "[mask.png]")
    assert (carried["unknown_path"], carried["deforum"]["deep"]) == ("start.png", ["start.png"])
    assert carried["deforum"]["prompt"] == "10/10 and/or"
    frame = tmp_path / "frame.png"
    frame.write_bytes(client.get(f"{V}/jobs/{id}/frames/0").content)
    for data in (
        film.read_bytes(),
        frame.read_bytes(),
        json.dumps(read_text(frame)).encode(),
        comment.encode(),
    ):
        assert b"anna" not in data
        assert str(tmp_path).encode() not in data


@pytest.mark.parametrize(
    "path", ["%2e%2e/%2e%2e/run.json", "..%2f..%2frun.json", "0%2f..%2f1", "-2", "999999999999"]
)
def test_frames_are_numbers_and_no_paths(client, path):
    id = submit(client)
    ended(client, id)
    assert client.get(f"{V}/jobs/{id}/frames/{path}").status_code in (404, 422)


def test_answers_with_files_are_what_they_say(client):
    id = submit(client)
    ended(client, id)
    for what in ("film", "frames/0", "sheet"):
        answer = client.get(f"{V}/jobs/{id}/{what}")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-disposition"].startswith("inline; filename=")


def test_what_the_page_serves_of_the_data_folder_holds_no_ids(services, client):
    """The WebUI's page hands out files below its data folder, but none with a dot in front."""
    id = submit(client)
    ended(client, id)
    for path in services.home.rglob("*"):
        hidden = any(part.startswith(".") for part in path.relative_to(services.home).parts)
        if path.is_file() and not hidden:
            assert id.encode() not in path.read_bytes(), path
