"""A toy kind that is registered in one line renders through the command line, the API and the tab."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from lib_anim.app.cli import main
from lib_anim.media.probe import probe
from tests.actions.conftest import Checkers, ended
from tests.helpers.toy_kind import registered


@pytest.fixture
def toy() -> Iterator[None]:
    with registered():
        yield


def test_through_the_command_line(toy: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "toy.json"
    file.write_text(json.dumps({"kind": "toy", "frames": 3}))
    arguments = ["render", str(file), "--engine", "checker", "--out", str(tmp_path / "out"), "--json"]
    assert main(arguments) == 0
    facts = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert probe(Path(facts["film"])).frames == 3
    assert main(["schema", "toy"]) == 0
    assert '"frames"' in capsys.readouterr().out


def test_through_the_api(toy: None, tmp_path: Path) -> None:
    from fastapi.testclient import TestClient

    from lib_anim.actions.services import Services
    from lib_anim.api.server import create_app

    services = Services(tmp_path, Checkers())
    try:
        client = TestClient(create_app(services), base_url="http://127.0.0.1")
        kinds = client.get("/flipbook/v1/kinds").json()
        assert "toy" in json.dumps(kinds)
        sent = client.post(
            "/flipbook/v1/jobs", json={"kind": "toy", "settings": {"frames": 2}, "label": "two"}
        )
        assert sent.status_code == 202, sent.text
        record = ended(services, sent.json()["ids"][0])
        assert (record.status, record.frames_done, record.label) == ("done", 2, "two")
    finally:
        services.close()
