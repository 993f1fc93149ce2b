import pytest

from lib_anim.errors import Conflict, FlipbookError, NotFound, Problem, under_field


def test_sentence_names_field_key_and_column_and_the_caret_stands_under_it():
    problem = Problem('"foo" is not a function', field="zoom", key="30", column=12, text="0:(1), 30:(foo(t))")
    assert problem.sentence == 'zoom, key 30, column 12: "foo" is not a function'
    first, text, caret = str(problem).splitlines()
    assert first == problem.sentence
    assert text[caret.index("^")] == "f"


def test_all_problems_are_told_at_once():
    error = FlipbookError(Problem("a", field="x"), "b")
    assert str(error) == "x: a\nb"
    assert error.as_json() == {
        "errors": [
            {"code": None, "field": "x", "key": None, "column": None, "message": "x: a"},
            {"code": None, "field": None, "key": None, "column": None, "message": "b"},
        ]
    }


def test_http_statuses():
    assert (FlipbookError("").status, NotFound("").status, Conflict("").status) == (422, 404, 409)


def test_errors_of_a_file_stand_under_the_setting_that_names_it_and_stay_what_they_are():
    with pytest.raises(NotFound) as raised, under_field("mask"):
        raise NotFound(Problem("there is no file", field="path"), "gone")
    assert [problem.sentence for problem in raised.value.problems] == [
        "mask: there is no file",
        "mask: gone",
    ]
