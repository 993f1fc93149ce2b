"""Schedules: keys, easing, splines, names, signals, strings, sentences, canonical text."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from scipy.interpolate import CubicSpline, PchipInterpolator, interp1d

from lib_anim.errors import FlipbookError
from lib_anim.timeline.context import Context
from lib_anim.timeline.schedule import parse_schedule

FILM = Context(frames=25, seed=1234)


def _values(text: str | float, film: Context = FILM, **options: Any) -> list[float]:
    return parse_schedule(text, **options).numbers(film).tolist()


def _problem(text: Any, film: Context = FILM, **options: Any) -> Any:
    with pytest.raises(FlipbookError) as caught:
        parse_schedule(text, **{"field": "zoom", **options}).curve(film)
    (problem,) = caught.value.problems
    assert problem.field == "zoom"
    return problem


def test_curves_are_float64_and_one_value_per_frame() -> None:
    values = parse_schedule("0:(t > 3)").numbers(FILM)
    assert values.dtype == np.float64
    assert values.shape == (25,)
    assert values[[3, 4]].tolist() == [0, 1]


@pytest.mark.parametrize(
    ("value", "text"), [(2, "0:(2)"), (0.1, "0:(0.1)"), (-3.5, "0:(-3.5)"), (1e-9, "0:(1e-09)")]
)
def test_a_bare_number_is_a_schedule(value: float, text: str) -> None:
    assert str(parse_schedule(value)) == text
    assert _values(value)[0] == value


@pytest.mark.parametrize(
    ("key", "film", "frame"),
    [
        ("33.4%", {}, 8),
        ("99.9%", {}, 23),
        ("0.29s", {"fps": Fraction(100), "frames": 60}, 29),
        ("1.001s", {"fps": Fraction(30000, 1001), "frames": 60}, 30),
        ("1.5b", {"fps": Fraction(12), "bpm": 90.0}, 12),
        ("(max_f / 5)", {}, 4),
        ('"max_f/5"', {}, 4),
        ("'max_f/5'", {}, 4),
        ("max_f/5", {}, 4),
        ("(7.9)", {}, 7),
        ('"7.9"', {}, 7),
        ("(7)", {}, 7),
        ("max_f - 3 * 4", {}, 12),
        ("s % 20", {}, 14),
        ("sec_per_never", {"signals": None}, None),
        ("kick(3)", {"signals": {"kick": np.arange(25.0)}}, 3),
        ("fps", {}, 15),
        ("w // 100", {}, 5),
        ("clamp(99, 0, max_f)", {}, 24),
    ],
)
def test_keys_become_whole_frames(key: str, film: dict[str, Any], frame: int | None) -> None:
    if frame is None:
        assert _problem(f"0:(0), {key}:(1)").key == key
        return
    values = np.array(_values(f"0:(0) step, {key}:(1)", Context(**{"frames": 25, "seed": 1234, **film})))
    assert np.flatnonzero(values)[0] == frame


def test_later_duplicate_wins_by_frame_not_by_spelling() -> None:
    assert _values("0:(1), 50%:(2), 12:(3), (6*2):(4)")[12] == 4
    assert _values("12:(4), 50%:(2), 0:(1)")[12] == 2


def test_nothing_inside_the_film_holds_the_first_key() -> None:
    assert _values("40:(3), 50:(9)") == [3] * 25
    assert _values("40:(t+1)") == [41] * 25


def test_easings_between_two_numbers() -> None:
    u = np.arange(11) / 10
    shapes = {
        "linear": u,
        "step": np.floor(u),
        "ease-in": u**2,
        "ease-out": 1 - (1 - u) ** 2,
        "ease-in-out": u**2 * (3 - 2 * u),
        "quadratic": u,
        "cubic": u,
        "monotone": u,
    }
    for easing, shape in shapes.items():
        for values in (_values(f"0:(5) {easing}, 10:(-5)"), _values("0:(5), 10:(-5)", easing=easing)):
            np.testing.assert_allclose(values[:11], 5 - 10 * shape, atol=1e-12, err_msg=easing)


def test_splines_run_through_all_plain_numbers_of_the_run() -> None:
    x, y = [0, 5, 11, 18, 24], [0.0, 4.0, -3.0, 8.0, 1.0]
    text = ", ".join(f"{a}:({b})" for a, b in zip(x, y, strict=True))
    frames = np.arange(25)
    for easing, curve in (
        ("quadratic", interp1d(x, y, kind="quadratic")),
        ("cubic", CubicSpline(x, y)),
        ("monotone", PchipInterpolator(x, y)),
    ):
        np.testing.assert_allclose(_values(text, easing=easing), curve(frames), atol=1e-9, err_msg=easing)
    mixed = _values(text.replace("5:(4.0)", "5:(4.0) cubic"))
    np.testing.assert_allclose(mixed[5:11], CubicSpline(x, y)(frames[5:11]), atol=1e-9)
    np.testing.assert_allclose(mixed[11:19], np.interp(frames[11:19], x, y), atol=1e-9)


def test_a_formula_ends_the_run_and_its_first_value_is_the_last_knot() -> None:
    values = _values("0:(0), 5:(4), 10:(t), 15:(1), 20:(5), 24:(2)", easing="cubic")
    frames = np.arange(25)
    np.testing.assert_allclose(values[:11], CubicSpline([0, 5, 10], [0, 4, 10])(frames[:11]), atol=1e-9)
    assert values[10:15] == [10, 11, 12, 13, 14]
    np.testing.assert_allclose(values[15:], CubicSpline([15, 20, 24], [1, 5, 2])(frames[15:]), atol=1e-9)


def test_monotone_never_overshoots() -> None:
    values = _values("0:(0), 3:(0), 6:(10), 9:(10), 24:(11)", easing="monotone")
    assert (np.diff(values) >= 0).all()
    assert max(_values("0:(0), 3:(0), 6:(10), 9:(10), 24:(11)", easing="cubic")) > 11


def test_all_names() -> None:
    film = Context(frames=25, fps=Fraction(24000, 1001), seed=77, width=640, height=360, bpm=90.0, cadence=3)
    at = 10
    expected = {
        "t": 10, "f": 10, "max_f": 24, "s": 77, "sec": 10 * 1001 / 24000, "fps": 24000 / 1001, "bpm": 90,
        "beat": 10 * 1001 / 24000 * 1.5, "w": 640, "h": 360, "cadence": 3, "pi": np.pi, "e": np.e,
    }  # fmt: skip
    for name, value in expected.items():
        assert _values(f"0:({name})", film)[at] == pytest.approx(value, rel=1e-15), name


@pytest.mark.parametrize(
    "name",
    [
        *["sin", "cos", "tan", "arctan", "sinh", "cosh", "tanh", "arcsinh", "exp", "expm1"],
        *["abs", "floor", "ceil", "trunc", "sign"],
    ],
)
def test_functions_of_one_value_are_numpys(name: str) -> None:
    x = np.arange(25) / 7 - 1.3
    np.testing.assert_allclose(_values(f"0:({name}(t/7 - 1.3))"), getattr(np, name)(x), atol=1e-12)


@pytest.mark.parametrize("name", ["arcsin", "arccos", "arctanh", "log", "log10", "log1p", "sqrt", "arccosh"])
def test_functions_of_half_lines_are_numpys(name: str) -> None:
    x = np.arange(25) / 30 + (1 if name == "arccosh" else 0.1)
    shift = "1" if name == "arccosh" else "0.1"
    np.testing.assert_allclose(_values(f"0:({name}(t/30 + {shift}))"), getattr(np, name)(x), atol=1e-12)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("round(t/2)", [0, 0, 1, 2, 2, 2, 3]),
        ("min(t, 3, 5 - t)", [0, 1, 2, 2, 1, 0, -1]),
        ("max(t, 3, 5)", [5, 5, 5, 5, 5, 5, 6]),
        ("arctan2(t, -1)", np.arctan2(np.arange(7), -1)),
        ("square(t/4)", [1, 1, 0, 0, 1, 1, 0]),
        ("bump(t - 3, 2)", np.exp(-(((np.arange(7) - 3) / 2) ** 2))),
        ("hold(t, 3)", [0, 0, 0, 3, 3, 3, 6]),
        ("saw(-t/4)", [0, 0.75, 0.5, 0.25, 0, 0.75, 0.5]),
        ("where(t - 2, 7, 8)", [7, 7, 8, 7, 7, 7, 7]),
        ("t & 3", [0, 1, 2, 3, 0, 1, 2]),
        ("(t > 1) & (t < 4) | (t == 6)", [0, 0, 1, 1, 0, 0, 1]),
        ("~(t > 1) * 2", [2, 2, 0, 0, 0, 0, 0]),
        ("t != 3", [1, 1, 1, 0, 1, 1, 1]),
        ("7 // 2 * 2 ** 3 ** 0", [6] * 7),
        ("-t // 2", [0, -1, -1, -2, -2, -3, -3]),
        ("t % -4", [0, -3, -2, -1, 0, -3, -2]),
        ("+t - -t", [0, 2, 4, 6, 8, 10, 12]),
        ("1e1 + .5 + 2.", [12.5] * 7),
    ],
)
def test_functions_and_operators(text: str, values: Any) -> None:
    np.testing.assert_allclose(_values(f"0:({text})")[:7], values, atol=1e-12)


def test_signals_by_name_and_at_a_frame() -> None:
    kick = np.zeros(25)
    kick[8] = 1
    film = Context(frames=25, signals={"kick": kick, "Bass_2": np.arange(25.0)})
    assert _values("0:(1 + kick)", film)[7:10] == [1, 2, 1]
    assert _values("0:(kick(t-2))", film)[9:12] == [0, 1, 0]
    assert _values("0:(kick(t/2 + 0.25))", film)[15:18] == [0.75, 0.75, 0.25]
    assert _values("0:(Bass_2(t + 20))", film)[:6] == [20, 21, 22, 23, 24, 24]
    assert _values("0:(Bass_2(-5))", film)[3] == 0
    assert 'the signal "kick" takes one frame' in _problem("0:(kick())", film).message


def test_string_schedules_step() -> None:
    schedule = parse_schedule("""0:("Euler a"), 50%:'b, c: (d)' step""", strings=True)
    assert schedule.texts(FILM) == ["Euler a"] * 12 + ["b, c: (d)"] * 13
    assert str(schedule) == '0:("Euler a"), 50%:("b, c: (d)") step'
    assert parse_schedule('5:("x")', strings=True).texts(FILM) == ["x"] * 25
    backslash = parse_schedule('0:("C:\\new\\a.png \\ {x}")', strings=True)
    assert backslash.texts(FILM)[0] == "C:\\new\\a.png \\ {x}"


@pytest.mark.parametrize(
    ("text", "key", "column", "message"),
    [
        ("0:(1), 30:(foo(t))", "30", 12, '"foo" is not a function here; the nearest is "floor"'),
        ("0:(1), 12:(sni(t))", "12", 12, '"sni" is not a function here; the nearest is "sin"'),
        ("0:(maxf)", "0", 4, '"maxf" is not a name here; the nearest is "max_f"'),
        ("0:(sin)", "0", 4, '"sin" is a function; give it 1 value in parentheses'),
        ("0:(t(3))", "0", 4, '"t" is a number and cannot be called; write t * (…) to multiply'),
        ("0:(2^3)", "0", 5, '"^" is not an operator here; a power is written "**"'),
        ("0:(1", "0", 3, 'this "(" is never closed'),
        (
            "0:(max(1,2), 5:(3)",
            "0",
            12,
            'a ")" is missing before this ","',
        ),
        ("0:(1))", "0", 6, 'this ")" closes nothing'),
        ("0:(1) lineer, 5:(2)", "0", 7, '"lineer" is not an easing; the nearest is "linear"'),
        ("0:(1) 5:(2)", "0", 7, 'a "," or an operator is missing before "5"'),
        ("0 (1)", "", 3, 'a ":" is missing between the key and its value, before "(1)"; write 0:(1.5)'),
        ("1.5", "", 4, 'a ":" and a value are missing after the key; write 0:(1.5)'),
        ("0:()", "0", 4, 'a value is missing before this ")"'),
        ("0:(t+)", "0", 6, 'a value is missing before this ")"'),
        ("0:(1),,5:(2)", "", 7, "a key and its value are missing before this comma"),
        ("0:(3 t)", "0", 6, 'an operator is missing before "t"'),
        ("0:(t<3<5)", "0", 7, "comparisons do not chain; write (a < b) & (b < c)"),
        ("0:(t > 1 and t < 5)", "0", 10, '"and" is not an operator here; write (a) & (b)'),
        ("0:(t.real)", "0", 5, '"." only stands inside numbers'),
        ("0:(__import__('os'))", "0", 15, "text in quotes cannot stand here"),
        ("0:(t = 3)", "0", 6, 'a single "=" has no meaning'),
        ("0:('a)", "0", 4, "this quote is never closed"),
        ('0:("Euler a")', "0", 3, '"Euler a" is text, and this takes numbers'),
        ("30.5:(3)", "30.5", 1, "30.5 is not a whole frame; write 30, or (30.5) to have it cut"),
        ("t:(3)", "t", 1, '"t" changes from frame to frame and cannot be in a key'),
        ("(rand()*9):(3)", "(rand()*9)", 2, '"rand" changes from frame to frame'),
        ("0:(1), -3:(2)", "-3", 8, "this key is frame -3; the first frame is 0"),
        ("0:(1), 1/0:(2)", "1/0", 9, "the key has no finite value"),
        ("0:(1), 2b:(2)", "2b", 8, "a key in beats needs a tempo; set bpm, the beats per minute"),
        ("0:(beat)", "0", 4, '"beat" needs a tempo; set bpm, the beats per minute'),
        ("0:(clamp(t, 3))", "0", 4, '"clamp" takes 3 values, not 2'),
        ("0:(min(t))", "0", 4, '"min" takes 2 or more values, not 1'),
        ("0:(noise())", "0", 4, '"noise" takes 1 to 2 values, not 0'),
        ("0:(t/2 & 1)", "0", 8, '"&" joins truth values such as (t < 5), not fractions'),
        ("0:(1e999)", "0", 4, "this number is too large"),
        (
            "0:(1), 5:(log(t-20))",
            "5",
            10,
            "the value at frame 5 is not a number, and at 15 more; keep it finite",
        ),
        ("0:(1/(t-3))", "0", 3, "the value at frame 3 is infinite; keep it finite"),
        ("0:(9**9**9**9)", "0", 3, "the value at frame 0 is infinite, and at 24 more"),
        ("", "", None, "no key gives a value; write 0:(1.5), say"),
    ],
)
def test_mistakes_name_key_and_column(text: str, key: str, column: int | None, message: str) -> None:
    problem = _problem(text)
    assert (problem.key, problem.column) == (key, column)
    assert problem.message.startswith(message)


def test_the_caret_stands_at_the_column() -> None:
    problem = _problem("0:(1), 30:(foo(t))")
    assert str(problem).split("\n") == [
        'zoom, key 30, column 12: "foo" is not a function here; the nearest is "floor"',
        "    0:(1), 30:(foo(t))",
        "               ^",
    ]


def test_columns_count_across_lines_and_quotes() -> None:
    problem = _problem('0:(1),\n"max_g/2":(t)')
    assert (problem.column, problem.text) == (9, '0:(1), "max_g/2":(t)')
    assert problem.key == "max_g/2"


def test_wrong_types_and_strings() -> None:
    assert "a schedule is a text or a number" in _problem(True).message
    assert "a schedule is a text or a number" in _problem(None).message
    assert '"nan" is not a name here' in _problem(float("nan")).message
    assert "this takes text in quotes" in _problem("0:(1)", strings=True).message
    assert (
        "text cannot change by degrees; leave out linear" in _problem('0:("a") linear', strings=True).message
    )
    assert '"bounce" is not an easing' in _problem("0:(1)", easing="bounce").message


def test_check_tells_all_unknown_names_at_once() -> None:
    schedule = parse_schedule("0:(foo), maxf:(bar(t)), 9:(kick)", field="zoom")
    with pytest.raises(FlipbookError) as caught:
        schedule.check(signals=("kick",))
    assert [(p.key, p.column) for p in caught.value.problems] == [("0", 4), ("maxf", 10), ("maxf", 16)]
    parse_schedule("0:(kick(t) + t)").check(signals=("kick",))


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        (' 0 : 1.50 , "max_f/2" : ( (t) + 1 ) ease-in ,', "0:(1.5), (max_f / 2):(t + 1) ease-in"),
        ("max_f:(-(2)**2)", "max_f:(-2 ** 2)"),
        ("0:((-2)**2), 05:(+3)", "0:((-2) ** 2), 5:(3)"),
        ("1.50s:(a-(b-c)), 2.0b:(a-b-c)", "1.5s:(a - (b - c)), 2b:(a - b - c)"),
        ("0:(2**3**2), 1:((2**3)**2)", "0:(2 ** 3 ** 2), 1:((2 ** 3) ** 2)"),
        ("0:(~(t<3)|(t>4)&x)", "0:(~(t < 3) | (t > 4) & x)"),
        ("0:((t<3)<2)", "0:((t < 3) < 2)"),
        ("0:(1e21), 1:(0.1e-8)", "0:(1e+21), 1:(1e-09)"),
        ("0:(--t), 1:(-(-2))", "0:(--t), 1:(--2)"),
    ],
)
def test_canonical_text(text: str, canonical: str) -> None:
    schedule = parse_schedule(text)
    assert str(schedule) == canonical
    assert parse_schedule(canonical) == schedule
    assert schedule.text == text
