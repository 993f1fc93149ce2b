"""What stands in the tab's controls."""

from __future__ import annotations

from pathlib import Path

from lib_anim.actions.form_state import FormState


def test_a_draft_is_there_for_whoever_comes_next(tmp_path: Path) -> None:
    path = tmp_path / "not there yet" / ".drafts.json"
    assert FormState(path).get("keyframed") == {}
    FormState(path).keep("keyframed", {"zoom": "0:(half typed"})
    FormState(path).keep("clip", {"frames": 8})
    assert FormState(path).get("keyframed") == {"zoom": "0:(half typed"}
    assert FormState(path).get("clip") == {"frames": 8}


def test_a_damaged_file_is_an_empty_draft_and_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / ".drafts.json"
    for damaged in ("", "[1]", '{"keyframed": 3}', "\udcff".encode("utf-8", "surrogatepass").hex()):
        path.write_text(damaged, "utf-8")
        assert FormState(path).get("keyframed") == {}
        FormState(path).keep("keyframed", {"a": 1})
        assert FormState(path).get("keyframed") == {"a": 1}
