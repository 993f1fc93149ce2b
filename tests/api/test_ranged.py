"""A film can be fetched piece by piece, as players do when somebody seeks; with every starlette."""

from __future__ import annotations

import pytest

from .conftest import V, ended, submit


@pytest.fixture
def film(client):
    """(its address, its bytes)"""
    id = submit(client)
    ended(client, id)
    address = f"{V}/jobs/{id}/film"
    whole = client.get(address)
    assert whole.status_code == 200
    assert whole.headers["accept-ranges"] == "bytes"
    assert int(whole.headers["content-length"]) == len(whole.content)
    return address, whole.content


@pytest.mark.parametrize(
    ("asked", "begin", "end"),
    [
        ("bytes=0-", 0, None),
        ("bytes=0-0", 0, 1),
        ("bytes=100-299", 100, 300),
        ("bytes=100-", 100, None),
        ("bytes=-50", -50, None),
        ("bytes=10-99999999999", 10, None),
        ("bytes=-99999999999", 0, None),
    ],
)
def test_a_range_is_that_piece_of_the_file(client, film, asked, begin, end):
    address, data = film
    answer = client.get(address, headers={"Range": asked})
    assert answer.status_code == 206
    assert answer.content == data[begin:end]
    at = begin % len(data)
    told = f"bytes {at}-{at + len(answer.content) - 1}/{len(data)}"
    assert answer.headers["content-range"] == told
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert answer.headers["content-type"] == "video/mp4"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_what_the_file_does_not_have_is_416(client, film):
    address, data = film
    answer = client.get(address, headers={"Range": f"bytes={len(data)}-"})
    assert answer.status_code == 416
    assert answer.headers["content-range"].endswith(f"*/{len(data)}")


def test_a_range_of_another_version_of_the_film_is_the_whole_new_one(client, film):
    address, data = film
    known = client.get(address).headers["etag"]
    for tag, status, length in ((known, 206, 10), ('"another"', 200, len(data))):
        answer = client.get(address, headers={"Range": "bytes=0-9", "If-Range": tag})
        assert (answer.status_code, len(answer.content)) == (status, length)


@pytest.mark.parametrize(
    "asked",
    [
        "frames=0-1",
        "bytes",
        "bytes=a-b",
        "bytes=-",
        "bytes=5-2",
        "bytes=0-1,3-4",
        "",
        "bytes=" + "9" * 400 + "-",
    ],
)
def test_no_range_is_answered_with_500(client, film, asked):
    address, data = film
    answer = client.get(address, headers={"Range": asked})
    assert answer.status_code in (200, 206, 400, 416)
    if answer.status_code == 200:
        assert answer.content == data
