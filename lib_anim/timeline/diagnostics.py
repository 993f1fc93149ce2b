"""Error sentences for text that cannot be parsed, with column and remedy."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from lark import Token
from lark.exceptions import UnexpectedCharacters, UnexpectedToken

from lib_anim.errors import FlipbookError, Problem
from lib_anim.timeline.easings import EASINGS
from lib_anim.timeline.functions import FUNCTIONS, NAMES
from lib_anim.timeline.limits import MAX_QUOTED, MAX_SHOWN

_CHARACTERS = {
    "=": 'a single "=" has no meaning; "equal" is written "=="',
    ".": '"." only stands inside numbers; nothing here has parts to ask for',
    "!": '"!" has no meaning here; "not equal" is "!=", and the opposite of a truth value is "~"',
    "[": '"[" has no meaning in a schedule; use round parentheses',
    "{": '"{" has no meaning in a schedule; put text in quotes',
    "#": '"#" has no meaning here; a schedule holds no remarks',
    "×": '"×" is not an operator here; write "*"',
    "÷": '"÷" is not an operator here; write "/"',
    "–": '"–" is a dash; a minus is "-"',
    "−": '"−" is a typographic minus; write "-"',
    "“": '"“" is a typographic quote; write \'"\'',
    "”": '"”" is a typographic quote; write \'"\'',
    ";": '";" has no meaning here; items are separated by ","',
}

_WORDS = {
    "and": '"and" is not an operator here; write (a) & (b)',
    "or": '"or" is not an operator here; write (a) | (b)',
    "not": '"not" is not an operator here; write ~(a)',
    "if": '"if" is not an operator here; write where(condition, a, b)',
    "else": '"else" is not an operator here; write where(condition, a, b)',
}

_POWER = '"^" is not an operator here; a power is written "**"'


def shown(text: str) -> str:
    """The text as an error repeats it: one line, or nothing when it is too long to look at."""
    return re.sub(r"\s", " ", text) if len(text) <= MAX_SHOWN else ""


def quoted(word: str) -> str:
    """A user's word in quotes, cut when long."""
    word = re.sub(r"\s+", " ", word)
    return f'"{word}"' if len(word) <= MAX_QUOTED else f'"{word[:MAX_QUOTED]}…"'


def at_column(
    message: str, text: str, column: int, *, field: str = "", key: str = "", code: str = "schedule.syntax"
) -> Problem:
    """A problem with its caret at the 1-based `column` of `text`."""
    return Problem(message, field, key, column, shown(text), code=code)


def nearest(word: str, known: Iterable[str]) -> str:
    """`; the nearest is "…"`, or nothing when no known word resembles it."""
    close = difflib.get_close_matches(word[:MAX_QUOTED], list(known), n=1, cutoff=0.5)
    return f'; the nearest is "{close[0]}"' if close else ""


def unknown_name(name: str, signals: Iterable[str]) -> str:
    """The sentence for a name that stands for nothing."""
    if name in _WORDS:
        return _WORDS[name]
    if name in FUNCTIONS:
        return f"{quoted(name)} is a function; give it {FUNCTIONS[name].arity} in parentheses"
    known = [*NAMES, *signals]
    return f"{quoted(name)} is not a name here" + (nearest(name, known) or f"; names are {_listed(known)}")


def unknown_function(name: str, signals: Iterable[str]) -> str:
    """The sentence for a call of something that is not a function."""
    if name in _WORDS:
        return _WORDS[name]
    if name in NAMES:
        return f"{quoted(name)} is a number and cannot be called; write {name} * (…) to multiply"
    known = [*FUNCTIONS, *signals]
    return f"{quoted(name)} is not a function here" + (
        nearest(name, known) or f"; functions are {_listed(known)}"
    )


def _listed(words: Iterable[str]) -> str:
    return ", ".join(sorted(words))


def refuse_long(text: str, limit: int, *, field: str) -> None:
    """Raises FlipbookError when the text is longer than is read."""
    if len(text) > limit:
        raise FlipbookError(
            Problem(
                f"the text has {len(text):,} characters; at most {limit:,} are read",
                field=field,
                code="schedule.too_long",
            )
        )


def syntax_problem(error: UnexpectedToken | UnexpectedCharacters, text: str, *, keyed: bool) -> Problem:
    """Lark's complaint as a sentence, with the key it happened in when the text has keys."""
    if isinstance(error, UnexpectedCharacters):
        offset = error.pos_in_stream or 0
        message = _about_character(text, offset)
    else:
        offset, message = _about_token(error, text, keyed)
    key = _key_at(text, offset) if keyed else ""
    return at_column(message, text, offset + 1, key=key)


def _about_character(text: str, offset: int) -> str:
    character = text[offset]
    if character in "\"'":
        closed = character in text[offset + 1 :]
        return "text in quotes cannot stand here" if closed else "this quote is never closed"
    if character == "^":
        return _POWER
    return _CHARACTERS.get(character, f"{quoted(character)} has no meaning here")


def _about_token(error: UnexpectedToken, text: str, keyed: bool) -> tuple[int, str]:
    """Offset and sentence for a word that cannot stand where it does."""
    token: Token = error.token
    accepted = error.accepts
    if token.type == "$END":
        return _about_end(text, accepted, keyed)
    offset = token.start_pos or 0
    balanced = token.count("(") == token.count(")")
    word = quoted(str(token) if balanced or len(token) == 1 else token.strip("()"))
    complete = "$END" in accepted
    after_value = complete or "EASING" in accepted
    if token.type in ("RAW", "OPEN", "CLOSE", "STRING"):
        return offset, _about_character(text, offset)
    if str(token) in _WORDS:
        return offset, _WORDS[str(token)]
    if token.type == "COMPARE" and "COMPARE" not in accepted and ("RPAR" in accepted or after_value):
        return offset, "comparisons do not chain; write (a < b) & (b < c)"
    if token.type == "RPAR":
        open_here = _unclosed(text[:offset]) is not None
        return offset, 'a value is missing before this ")"' if open_here else 'this ")" closes nothing'
    if token.type == "COMMA" and "FRAME" in accepted:
        return offset, "a key and its value are missing before this comma"
    if token.type == "COMMA" and "RPAR" in accepted:
        return offset, 'a ")" is missing before this ","'
    if keyed and "COLON" in accepted:
        return offset, f'a ":" is missing between the key and its value, before {word}; write 0:(1.5)'
    if token.type == "COLON":
        return offset, _about_colon(text, offset)
    if "EASING" in accepted and token.type in ("NAME", "EASING"):
        return offset, f"{word} is not an easing" + (
            nearest(str(token), EASINGS) or f"; easings are {', '.join(EASINGS)}"
        )
    if "EASING" in accepted:
        return offset, f'a "," or an operator is missing before {word}'
    if "RPAR" in accepted or complete:
        return offset, f"an operator is missing before {word}"
    return offset, f"a value is missing before {word}"


def _about_end(text: str, accepted: set[str], keyed: bool) -> tuple[int, str]:
    opened = _unclosed(text)
    if opened is not None:
        return opened, 'this "(" is never closed'
    if keyed and "COLON" in accepted:
        return len(text), 'a ":" and a value are missing after the key; write 0:(1.5)'
    return len(text), "a value is missing at the end"


def _about_colon(text: str, offset: int) -> str:
    opened = _unclosed(text[:offset])
    if opened is not None:
        return f'a ")" is missing before this ":"; the "(" at column {opened + 1} is still open'
    return 'a "," is missing before this key, or a key before this ":"'


_TOKENS = re.compile(r"""("[^"]*"|'[^']*')|[(),:]""")


def _unclosed(text: str) -> int | None:
    """Offset of the innermost parenthesis that is still open at the end of `text`."""
    opened: list[int] = []
    for match in _TOKENS.finditer(text):
        if match.group() == "(":
            opened.append(match.start())
        elif match.group() == ")" and opened:
            opened.pop()
    return opened[-1] if opened else None


def item_span(text: str, offset: int) -> tuple[int, int]:
    """Start and end of the item that `offset` lies in: between commas outside parentheses and quotes."""
    start, depth = 0, 0
    for match in _TOKENS.finditer(text):
        token = match.group()
        if token == "(":
            depth += 1
        elif token == ")":
            depth = max(depth - 1, 0)
        elif token == "," and depth == 0:
            if match.start() >= offset:
                return start, match.start()
            start = match.end()
    return start, len(text)


def _key_at(text: str, offset: int) -> str:
    """The key, as written, of the item that `offset` lies in."""
    start, _ = item_span(text, offset)
    key, colon, _ = text[start:offset].partition(":")
    return key.strip(" \t\r\n\"'\ufeff")[:MAX_QUOTED] if colon else ""
