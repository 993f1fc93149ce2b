from __future__ import annotations

import json

import pytest

from lib_anim.media.pictures import read_picture
from lib_anim.media.probe import probe

from .conftest import ORDER, SETTINGS, V, ended, events, submit


def test_a_film_is_submitted_followed_and_fetched(client, tmp_path):
    answer = client.post(f"{V}/jobs", json=ORDER)
    assert answer.status_code == 202
    (id,) = answer.json()["ids"]
    heard = events(client, id)
    assert [name for _, name, _ in heard if name == "status"] == ["status"] * 3
    assert json.loads(heard[-1][2])["status"] == "done"
    job = client.get(f"{V}/jobs/{id}").json()
    assert (job["status"], job["frames_done"], job["frames"], job["error"]) == ("done", 6, 6, None)
    assert job["settings"]["prompts"] == SETTINGS["prompts"]
    film = client.get(job["outputs"]["film"])
    assert film.headers["content-type"] == "video/mp4"
    (tmp_path / "film.mp4").write_bytes(film.content)
    assert probe(tmp_path / "film.mp4").frames == 6
    for path in ("frames/0", "frames/-1", "sheet"):
        picture = client.get(f"{V}/jobs/{id}/{path}")
        assert (picture.status_code, picture.headers["content-type"]) == (200, "image/png")
        (tmp_path / "picture.png").write_bytes(picture.content)
        assert read_picture(tmp_path / "picture.png").ndim == 3


def test_a_list_is_queued_whole_or_not_at_all(client):
    answer = client.post(f"{V}/jobs", json=[ORDER, ORDER])
    assert answer.status_code == 202
    assert len(answer.json()["ids"]) == 2
    wrong = {**ORDER, "settings": {**SETTINGS, "zoom": "0:("}}
    answer = client.post(f"{V}/jobs", json=[ORDER, wrong])
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "jobs[1]"
    assert len(client.get(f"{V}/jobs").json()["jobs"]) == 2


def test_wrong_settings_are_422_with_field_key_column_and_sentence(client):
    wrong = {**ORDER, "settings": {**SETTINGS, "zoom": "0:(1), 5:(", "frames": -1}}
    answer = client.post(f"{V}/jobs", json=wrong)
    assert answer.status_code == 422
    errors = {error["field"]: error for error in answer.json()["errors"]}
    assert errors["zoom"]["key"] == "5"
    assert errors["zoom"]["column"] == 10
    assert errors["zoom"]["message"].startswith("zoom, key 5, column 10: ")
    assert "0 or more" in errors["frames"]["message"] or "0 to" in errors["frames"]["message"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "kind"),
        ({"kind": "keyframed"}, "settings"),
        ({"kind": "keyframed", "settings": []}, "settings"),
        ({"kind": 3, "settings": {}}, "kind"),
        ({"kind": "keyframed", "settings": {}, "colour": "red"}, "colour"),
        ({"kind": "keyframed", "settings": {}, "engine": "nobody"}, "engine"),
        ({"kind": "keyframed", "settings": {}, "trial": {"every": 0}}, "trial.every"),
        ({"kind": "keyframed", "settings": {"kind": "assemble"}}, "kind"),
        ([], "jobs"),
        ([ORDER, 3], "jobs[1]"),
        ("film", "body"),
        ([ORDER] * 501, "jobs"),
    ],
)
def test_a_request_that_is_wrong_names_its_field(client, body, field):
    answer = client.post(f"{V}/jobs", json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"{", 422),
        (b"\xff\xfe", 422),
        (b'{"kind": "keyframed", "settings": {"seed": NaN}}', 422),
        (b'{"kind": "keyframed", "settings": {"seed": 1' + b"0" * 400 + b"}}", 422),
        (b'{"kind": "keyframed", "settings": {"positive": "\\ud800"}}', 422),
        (b"[" * 100 + b"]" * 100, 422),
        (b"[" * 100_000, 422),
    ],
)
def test_what_is_no_json_is_refused(client, content, status):
    answer = client.post(f"{V}/jobs", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == status
    assert answer.json()["errors"][0]["field"] == "body"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/jobs/nobody"),
        ("DELETE", "/jobs/nobody"),
        ("POST", "/jobs/nobody/resume"),
        ("GET", "/jobs/nobody/events"),
        ("GET", "/jobs/nobody/film"),
        ("GET", "/jobs/nobody/frames/0"),
        ("GET", "/jobs/nobody/sheet"),
        ("GET", "/jobs/nobody/report"),
        ("GET", "/schema/nothing"),
        ("GET", "/presets/nothing"),
        ("DELETE", "/presets/nothing"),
        ("DELETE", "/runs/nothing"),
    ],
)
def test_what_does_not_exist_is_404_with_a_sentence(client, method, path):
    answer = client.request(method, V + path)
    assert answer.status_code == 404
    assert answer.json()["errors"][0]["message"]


def test_what_contradicts_the_state_is_409(client):
    id = submit(client)
    ended(client, id)
    assert client.delete(f"{V}/jobs/{id}").status_code == 409
    assert client.post(f"{V}/jobs/{id}/resume").status_code == 409
    assert client.post(f"{V}/jobs/{id}/move", json={"to": 0}).status_code == 409


def test_a_running_film_is_watched_cancelled_and_resumed(client, gate):
    id = submit(client, engine="gate")
    assert gate.reached.wait(30)
    job = client.get(f"{V}/jobs/{id}").json()
    assert job["status"] == "running"
    assert client.get(f"{V}/jobs/{id}/film").status_code == 404
    assert client.get(f"{V}/jobs/{id}/frames/0").status_code == 200
    assert client.get(f"{V}/jobs/{id}/frames/5").status_code == 404
    assert client.delete(f"{V}/jobs/{id}").json()["ending"] is True
    gate.open.set()
    job = ended(client, id)
    assert (job["status"], job["frames_done"], job["resumable"]) == ("cancelled", 3, True)
    assert client.get(f"{V}/jobs/{id}/film").status_code == 200
    assert client.post(f"{V}/jobs/{id}/resume").json()["status"] in ("queued", "running")
    assert ended(client, id)["frames_done"] == 6


def test_waiting_films_are_moved_and_listed_in_their_order(client, gate):
    first = submit(client, engine="gate")
    assert gate.reached.wait(30)
    a, b, c = client.post(f"{V}/jobs", json=[ORDER] * 3).json()["ids"]
    assert client.post(f"{V}/jobs/{c}/move", json={"to": 0}).status_code == 200
    assert client.post(f"{V}/jobs/{a}/move", json={"to": -1}).status_code == 200
    assert [job["id"] for job in client.get(f"{V}/jobs").json()["jobs"]] == [first, c, b, a]
    waiting = client.get(f"{V}/jobs", params={"status": "queued", "limit": 2}).json()["jobs"]
    assert [job["id"] for job in waiting] == [c, b]
    assert "settings" not in waiting[0]
    assert client.get(f"{V}/jobs", params={"status": "lost"}).status_code == 422
    assert client.get(f"{V}/jobs", params={"limit": 0}).status_code == 422
    assert client.post(f"{V}/jobs/{a}/move", json={"to": "up"}).status_code == 422
    assert client.post(f"{V}/jobs/{a}/move", json={"to": 1, "by": 2}).status_code == 422


def test_a_stream_goes_on_where_it_was_broken_and_is_not_reopened_after_the_end(client):
    id = submit(client)
    events(client, id)
    heard = events(client, id)
    middle = heard[len(heard) // 2][0]
    assert events(client, id, str(middle)) == [event for event in heard if event[0] > middle]
    answer = client.get(f"{V}/jobs/{id}/events", headers={"Last-Event-ID": str(heard[-1][0])})
    assert answer.status_code == 204
    # What is not a number is no place to go on from.
    assert events(client, id, "abc") == heard


def test_some_frames_are_made_anew(client):
    id = submit(client)
    ended(client, id)
    before = client.get(f"{V}/jobs/{id}/frames/2").content
    body = {"first": 2, "last": 3, "changes": {"prompts": {"0": "other"}}}
    answer = client.post(f"{V}/jobs/{id}/rerender", json=body)
    assert answer.status_code == 202
    part = ended(client, answer.json()["ids"][0])
    assert part["status"] == "done"
    assert client.get(f"{V}/jobs/{id}/frames/2").content != before
    assert client.post(f"{V}/jobs/{id}/rerender", json={"first": 2}).status_code == 422
    assert client.post(f"{V}/jobs/{id}/rerender", json={**body, "changes": 1}).status_code == 422


def test_a_report_has_versions_log_and_settings_and_no_folder_of_the_machine(client, services, tmp_path):
    (tmp_path / "secret-name").mkdir()
    picture = tmp_path / "secret-name" / "start.png"
    done = submit(client)
    ended(client, done)
    picture.write_bytes(client.get(f"{V}/jobs/{done}/frames/0").content)
    id = submit(client, {**ORDER, "settings": {**SETTINGS, "init_image": str(picture)}})
    assert ended(client, id)["status"] == "done"
    report = client.get(f"{V}/jobs/{id}/report").json()
    assert report["versions"]["flipbook"]
    assert report["settings"]["init_image"] == "start.png"
    assert next(line["event"] for line in report["log"]) == "start"
    assert report["manifest"]["status"] == "done"
    assert "secret-name" not in json.dumps(report)
    assert str(tmp_path) not in json.dumps(report)
