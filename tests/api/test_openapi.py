"""The API's own description, and requests made from it by the thousand: none may end the server's way."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis.errors import Unsatisfiable

from lib_anim.actions.services import Services
from lib_anim.api import deforum, files, jobs
from lib_anim.api.server import create_app

from .conftest import V


@pytest.fixture
def operations(services: Services, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every operation of the API, as schemathesis reads them."""
    schemathesis = pytest.importorskip(
        "schemathesis", reason="needs schemathesis, as the standalone lock has it"
    )
    # Hundreds of requests in a minute, and none of them is to be turned away for that.
    for module in (jobs, files, deforum):
        for name in ("A_MINUTE", "UPLOADS_A_MINUTE"):
            monkeypatch.setattr(module, name, 1_000_000, raising=False)
    app = create_app(services, hosts=["*"])
    schema = schemathesis.openapi.from_asgi("/openapi.json", app)
    return [result.ok() for result in schema.get_all_operations()]


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("mode", ["positive", "negative"])
def test_no_request_is_answered_with_500(operations: list[Any], mode: str) -> None:
    """Requests as they are described, and such as are wrong in ways that the description forbids."""
    from schemathesis import GenerationMode

    assert len(operations) > 30
    asked = 0
    for operation in operations:

        @seed(1)
        @settings(max_examples=12, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy(generation_mode=GenerationMode(mode)))
        def ask(case: Any) -> None:
            answer = case.call()
            assert answer.status_code < 500, (case.as_curl_command(), answer.text)
            if answer.status_code in (404, 409, 413, 415, 422, 429) and "/deforum_api" not in case.path:
                assert answer.json()["errors"][0]["message"], case.as_curl_command()

        try:
            ask()
        except Unsatisfiable:
            # A route that takes nothing cannot be asked wrongly.
            continue
        asked += 1
    assert asked > 10


def test_every_route_is_described_with_an_example(client) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    wanted = {
        "/jobs": {"get", "post"},
        "/jobs/{id}": {"get", "delete"},
        "/jobs/{id}/events": {"get"},
        "/jobs/{id}/resume": {"post"},
        "/jobs/{id}/move": {"post"},
        "/jobs/{id}/film": {"get"},
        "/jobs/{id}/frames/{n}": {"get"},
        "/jobs/{id}/sheet": {"get"},
        "/jobs/{id}/report": {"get"},
        "/kinds": {"get"},
        "/schema/{kind}": {"get"},
        "/curves": {"post"},
        "/prompts": {"post"},
        "/preview": {"post"},
        "/presets": {"get"},
        "/presets/{name}": {"get", "put", "delete"},
        "/models": {"get"},
        "/engines": {"get"},
    }
    for path, methods in wanted.items():
        assert methods <= set(paths[V + path]), path
    for path, methods in paths.items():
        for method, described in methods.items():
            assert described.get("description") or described.get("summary"), (method, path)
            body = described.get("requestBody", {}).get("content", {}).get("application/json")
            if body is not None:
                assert "example" in body["schema"], (method, path)
            for status, answer in described["responses"].items():
                shape = answer.get("content", {}).get("application/json", {}).get("schema")
                if status in ("200", "201", "202") and shape and shape.get("properties"):
                    assert "example" in shape, (method, path)


@pytest.mark.parametrize("path", ["/jobs", "/curves", "/prompts", "/preview", "/estimate", "/settings"])
def test_the_examples_work(client, monkeypatch, path) -> None:
    monkeypatch.setattr(jobs, "A_MINUTE", 600)
    described = client.get("/openapi.json").json()["paths"][V + path]["post"]
    example = described["requestBody"]["content"]["application/json"]["schema"]["example"]
    answer = client.post(V + path, json=example)
    assert answer.status_code in (200, 202), answer.text
