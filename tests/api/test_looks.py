from __future__ import annotations

import json

import numpy as np
import pytest

from lib_anim.media.pictures import write_picture
from lib_anim.media.probe import probe

from .conftest import ORDER, SETTINGS, V, ended, submit


def test_curves_and_their_errors(client):
    body = {"schedules": {"zoom": "0:(1), 4:(2)", "angle": "0:("}, "frames": 5}
    answer = client.post(f"{V}/curves", json=body)
    assert answer.status_code == 200
    assert answer.json()["curves"] == {"zoom": [1, 1.25, 1.5, 1.75, 2]}
    assert answer.json()["errors"] == {"angle": answer.json()["problems"]["angle"][0]["message"]}
    answer = client.post(f"{V}/curves", json={"schedules": {}, "frames": "many"})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "frames")


def test_prompts(client):
    answer = client.post(f"{V}/prompts", json={"prompts": {"0": "a", "2": "b"}, "frames": 3})
    assert [(s["first"], s["last"]) for s in answer.json()["spans"]] == [(0, 1), (2, 2)]
    answer = client.post(f"{V}/prompts", json={"prompts": {"0": "a `zom`"}, "frames": 3})
    assert (answer.status_code, answer.json()["errors"][0]["key"]) == (422, "0")


def test_a_preview_is_a_film(client, tmp_path):
    body = {"kind": "keyframed", "settings": {**SETTINGS, "zoom": 1.05}}
    answer = client.post(f"{V}/preview", json=body)
    assert answer.headers["content-type"] == "video/mp4"
    (tmp_path / "p.mp4").write_bytes(answer.content)
    facts = probe(tmp_path / "p.mp4")
    assert (facts.frames, facts.rate) == (6, 12)
    answer = client.post(f"{V}/preview", json={"kind": "keyframed", "settings": {"frames": 3_001}})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "frames")
    answer = client.post(f"{V}/preview", json={"kind": "assemble", "settings": {}})
    assert answer.status_code == 422


def test_an_estimate_learns_from_finished_films(client):
    body = {"kind": "keyframed", "settings": {**SETTINGS, "cadence": 2}}
    answer = client.post(f"{V}/estimate", json=body).json()
    assert (answer["frames"], answer["paint"], answer["seconds"]) == (6, 4, None)
    assert answer["bytes"] >= 64 * 64 * 3 * 6
    ended(client, submit(client))
    short = client.post(f"{V}/estimate", json=ORDER).json()["seconds"]
    long = {**SETTINGS, "frames": 600}
    assert client.post(f"{V}/estimate", json={**ORDER, "settings": long}).json()["seconds"] > 50 * short > 0


def test_what_there_is(client):
    kinds = client.get(f"{V}/kinds").json()["kinds"]
    assert {kind["kind"] for kind in kinds} >= {"keyframed", "assemble"}
    for kind in kinds:
        assert client.get(f"{V}/schema/{kind['kind']}").json()["title"] == kind["kind"]
    engines = client.get(f"{V}/engines").json()["engines"]
    assert [engine["default"] for engine in engines] == [True, False]
    assert client.get(f"{V}/models").json() == {"models": {"checkpoints": []}}


def test_presets_are_put_renamed_exported_and_deleted(client):
    put = client.put(f"{V}/presets/slow zoom", json={"kind": "keyframed", "settings": {"zoom": "0:(1.01)"}})
    assert put.status_code == 200
    assert put.json()["settings"] == {"zoom": "0:(1.01)"}
    assert "slow zoom" in [preset["name"] for preset in client.get(f"{V}/presets").json()["presets"]]
    assert client.post(f"{V}/presets/slow zoom/rename", json={"to": "slower"}).json()["name"] == "slower"
    exported = client.get(f"{V}/presets/slower/export")
    assert "attachment" in exported.headers["content-disposition"]
    assert client.put(f"{V}/presets/again", json=exported.json()).status_code == 200
    assert client.delete(f"{V}/presets/slower").status_code == 204
    assert client.get(f"{V}/presets/slower").status_code == 404
    assert client.delete(f"{V}/presets/Seasons").status_code == 409
    only = client.get(f"{V}/presets/Seasons", params={"parts": "prompts"}).json()["settings"]
    assert set(only) == {"prompts", "prompt_blend"}
    assert client.get(f"{V}/presets/Seasons", params={"parts": "colour"}).status_code == 422
    wrong = client.put(f"{V}/presets/bad", json={"kind": "keyframed", "settings": {"zoom": "0:("}})
    assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "zoom")


def test_names_of_presets_may_hold_anything_that_an_address_can_carry(client):
    for name, path in (("..", "%2e%2e"), ("Ünïcode 映画", "Ünïcode 映画"), ("a%b", "a%25b")):
        put = client.put(f"{V}/presets/{path}", json={"kind": "keyframed", "settings": {}})
        if put.status_code == 404:
            continue
        assert put.json()["name"] == name
        assert client.delete(f"{V}/presets/{path}").status_code == 204


def test_settings_of_a_deforum_file_and_of_a_film_load_the_same_way(client, tmp_path):
    deforum = {"W": 64, "H": 64, "max_frames": 4, "animation_mode": "2D", "prompts": {"0": "a tree"}}
    answer = client.post(f"{V}/settings", json={"kind": "keyframed", "settings": deforum})
    assert (answer.json()["settings"]["frames"], answer.json()["settings"]["dialect"]) == (4, "deforum")
    file = tmp_path / "old.txt"
    file.write_text(json.dumps(deforum))
    assert client.post(f"{V}/settings", json={"file": str(file)}).json() == answer.json()
    picture = write_picture(tmp_path / "start.png", np.full((64, 64, 3), 99, np.uint8))
    id = submit(client, {**ORDER, "settings": {**SETTINGS, "init_image": str(picture)}})
    job = ended(client, id)
    film = client.get(f"{V}/jobs/{id}/film").content
    # In its run folder a film has all paths, elsewhere only what travels in it.
    (tmp_path / "away.mp4").write_bytes(film)
    here = tmp_path / "home" / "runs" / job["run"] / "film.mp4"
    assert client.post(f"{V}/settings", json={"file": str(here)}).json()["settings"] == job["settings"]
    away = client.post(f"{V}/settings", json={"file": str(tmp_path / "away.mp4")}).json()["settings"]
    assert away == {**job["settings"], "init_image": str(picture)}
    upload = client.post(f"{V}/uploads", content=film).json()["upload"]
    answer = client.post(f"{V}/settings", json={"file": upload})
    assert answer.status_code == 422
    assert "start.png" in answer.json()["errors"][0]["message"]


@pytest.mark.parametrize("body", [{"file": 3}, {"file": ""}, {"file": "upload:x"}, {"kind": "keyframed"}, {}])
def test_what_is_no_file_with_settings_is_refused(client, body):
    assert client.post(f"{V}/settings", json=body).status_code in (404, 422)


def test_runs_are_listed_thrown_away_and_restored(client):
    ended(client, submit(client))
    (run,) = client.get(f"{V}/runs").json()["runs"]
    assert run["frames"] == 6
    assert client.delete(f"{V}/runs/{run['name']}").status_code == 204
    assert client.get(f"{V}/trash").json()["runs"][0]["name"] == run["name"]
    assert client.post(f"{V}/trash/{run['name']}/restore").status_code == 204
    assert client.delete(f"{V}/runs/{run['name']}").status_code == 204
    assert client.delete(f"{V}/trash").json()["bytes"] > 0
    assert client.get(f"{V}/trash").json()["runs"] == []
