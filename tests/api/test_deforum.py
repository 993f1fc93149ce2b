"""The routes of Deforum's extension, as scripts made for it use them."""

from __future__ import annotations

import pytest

from .conftest import V, ended

SETTINGS = {"W": 64, "H": 64, "max_frames": 4, "animation_mode": "2D", "prompts": {"0": "a tree"}, "seed": 3}
API = "/deforum_api"


def test_a_batch_is_accepted_followed_and_done(client):
    pytest.importorskip("torch", reason="paints")
    answer = client.post(f"{API}/batches", json={"deforum_settings": [SETTINGS, SETTINGS]})
    assert answer.status_code == 202
    body = answer.json()
    assert body["message"] == "Job(s) accepted"
    batch, jobs = body["batch_id"], body["job_ids"]
    assert len(jobs) == 2
    assert client.get(f"{API}/batches").json() == {batch: jobs}
    for id in jobs:
        ended(client, id)
    states = client.get(f"{API}/batches/{batch}").json()
    assert [state["id"] for state in states] == jobs
    for state in states:
        assert (state["status"], state["phase"], state["phase_progress"]) == ("SUCCEEDED", "DONE", 1.0)
        assert (state["error_type"], state["message"]) == ("NONE", None)
        assert state["deforum_settings"]["frames"] == 4
        assert state["outdir"]
        assert state["execution_time"] > 0
    assert set(client.get(f"{API}/jobs").json()) == set(jobs)
    assert client.get(f"{API}/jobs/{jobs[0]}").json() == states[0]
    # The same queue.
    assert {job["id"] for job in client.get(f"{V}/jobs").json()["jobs"]} == set(jobs)


def test_one_object_is_a_batch_of_one(client):
    answer = client.post(f"{API}/batches", json={"deforum_settings": SETTINGS, "options_overrides": {}})
    assert len(answer.json()["job_ids"]) == 1


def test_waiting_and_running_jobs_are_cancelled(client, gate):
    pytest.importorskip("torch", reason="paints")
    first = client.post(f"{V}/jobs", json={"kind": "keyframed", "engine": "gate", "settings": SETTINGS})
    (running,) = first.json()["ids"]
    assert gate.reached.wait(30)
    state = client.get(f"{API}/jobs/{running}").json()
    assert (state["status"], state["phase"]) == ("ACCEPTED", "GENERATING")
    body = client.post(f"{API}/batches", json={"deforum_settings": [SETTINGS] * 3}).json()
    state = client.get(f"{API}/jobs/{body['job_ids'][0]}").json()
    assert (state["status"], state["phase"], state["phase_progress"]) == ("ACCEPTED", "QUEUED", 0.0)
    answer = client.delete(f"{API}/jobs/{body['job_ids'][1]}")
    assert answer.json() == {"id": body["job_ids"][1], "message": "Job cancelled."}
    answer = client.delete(f"{API}/batches/{body['batch_id']}")
    assert answer.json()["ids"] == [body["job_ids"][0], body["job_ids"][2]]
    assert client.delete(f"{API}/jobs/{running}").status_code == 200
    gate.open.set()
    ended(client, running)
    assert client.get(f"{API}/jobs/{running}").json()["status"] == "CANCELLED"
    assert {s["status"] for s in client.get(f"{API}/batches/{body['batch_id']}").json()} == {"CANCELLED"}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"deforum_settings": []}, 400),
        ({"deforum_settings": [3]}, 422),
        ({"deforum_settings": {**SETTINGS, "zoom": "0: ("}}, 422),
        ({"deforum_settings": SETTINGS, "options_overrides": {"sd_vae": "x"}}, 422),
    ],
)
def test_what_is_wrong_is_told(client, body, status):
    assert client.post(f"{API}/batches", json=body).status_code == status


@pytest.mark.parametrize("path", ["batches/none", "jobs/none"])
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_unknown_ids_are_404(client, method, path):
    assert client.request(method, f"{API}/{path}").status_code == 404
