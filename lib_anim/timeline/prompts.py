"""Prompt track: the prompt of every frame, and its position between prompt keyframes."""

from __future__ import annotations

import dataclasses
import json
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lib_anim.errors import FlipbookError, Problem
from lib_anim.timeline.context import Context
from lib_anim.timeline.grammar import FormulaKey, FrameKey, Key, check_tree, parse
from lib_anim.timeline.items import Dialect
from lib_anim.timeline.keys import fraction_problem, key_frame, key_text
from lib_anim.timeline.limits import MAX_EXPRESSION_CHARACTERS, MAX_ITEMS, MAX_PROMPT_CHARACTERS, MAX_SPANS
from lib_anim.timeline.prompt_shapes import NEGATIVE, Shape, read_shape, split_negative
from lib_anim.timeline.prompt_template import Template, parse_template


@dataclass(frozen=True)
class FramePrompt:
    """What one frame is asked to show and to leave out, every expression printed."""

    positive: str
    negative: str


@dataclass(frozen=True)
class Travel:
    """Where one frame lies between two keyframes: `weight` of `after`, 1 − `weight` of `before`.

    Both texts are evaluated at this frame. On a keyframe, before the first and after the last one
    they are the same and `weight` is 0.
    """

    before: FramePrompt
    after: FramePrompt
    weight: float


@dataclass(frozen=True)
class PromptItem:
    """A text from its key on; with `end`, held until the frame before it before travelling on."""

    key: Key
    positive: Template
    negative: Template
    end: Key | None = None
    written: str = dataclasses.field(default="", compare=False, repr=False)

    @property
    def key_text(self) -> str:
        """The canonical key, `a:b` for a range that ends before b."""
        start = key_text(self.key, bare=True)
        return start if self.end is None else f"{start}:{key_text(self.end, bare=True)}"

    @property
    def text(self) -> str:
        """The canonical text."""
        negative = str(self.negative)
        return f"{self.positive} {NEGATIVE} {negative}".strip() if negative else str(self.positive)


@dataclass(frozen=True)
class PromptKeyframe:
    """A text on its whole frame, before expressions are printed."""

    frame: int
    item: PromptItem


_NOTHING = Template(())


@dataclass(frozen=True)
class PromptTrack:
    """Checked prompts. `str()` prints them as canonical JSON; parsing that gives an equal track."""

    items: tuple[PromptItem, ...]
    prefix: Template = _NOTHING
    """In front of every frame's positive prompt."""
    suffix: Template = _NOTHING
    """After every frame's negative prompt."""
    dialect: Dialect = "native"
    field: str = dataclasses.field(default="prompts", compare=False)

    def __str__(self) -> str:
        entries: dict[str, Any] = {item.key_text: item.text for item in self.items}
        added = {"positive": str(self.prefix), "negative": str(self.suffix)}
        if any(added.values()):
            entries = {"prompts": entries, **{name: text for name, text in added.items() if text}}
        return json.dumps(entries, ensure_ascii=False)

    def keyframes(self, context: Context) -> tuple[PromptKeyframe, ...]:
        """The texts on their frames, sorted, the later of two on one frame; ranges give two.

        Frames may lie beyond the film. Raises FlipbookError for keys without a meaning and, outside
        Deforum's dialect, for negative ones.
        """
        return self._placed(context)[0]

    def frames(self, context: Context) -> list[FramePrompt]:
        """The prompt of every frame, each text held until the next key; the first one also before it."""
        return [travel.before for travel in self.travel(context)]

    def warnings(self, context: Context) -> tuple[str, ...]:
        """One sentence for each thing that Deforum's dialect passed over."""
        keyframes, warnings = self._placed(context)
        self._travel(keyframes, context, False, warnings)
        return tuple(dict.fromkeys(warnings))

    def travel(self, context: Context, *, closed: bool = False) -> list[Travel]:
        """Every frame's place between its keyframes; `closed` travels from the last on to the first.

        A key beyond the last frame is not reached, so nothing travels towards it; in Deforum's dialect
        it is travelled towards, as Interpolation mode does.
        """
        return self._travel(self.keyframes(context), context, closed, [])

    def _placed(self, context: Context) -> tuple[tuple[PromptKeyframe, ...], list[str]]:
        frames: dict[int, PromptItem] = {}
        warnings: list[str] = []
        problems: list[Problem] = []
        for item in self.items:
            try:
                self._place(item, context, frames, warnings)
            except FlipbookError as error:
                problems += [
                    dataclasses.replace(p, field=self.field, key=item.written) for p in error.problems
                ]
        if problems:
            raise FlipbookError(*problems)
        if not frames:
            raise FlipbookError(Problem("no key is inside the film", self.field, code="prompts.no_key"))
        return tuple(PromptKeyframe(frame, frames[frame]) for frame in sorted(frames)), warnings

    def _place(
        self, item: PromptItem, context: Context, frames: dict[int, PromptItem], warnings: list[str]
    ) -> None:
        start = key_frame(item.key, context, item.written)
        end = None if item.end is None else key_frame(item.end, context, item.written)
        if end is not None and end <= start:
            raise FlipbookError(
                Problem(f"the range ends at frame {end}, which is not after {start}", code="prompts.bad_keys")
            )
        if start < 0 and self.dialect == "native":
            raise FlipbookError(
                Problem(f"this key is frame {start}; the first frame is 0", code="prompts.bad_keys")
            )
        if start < 0:
            warnings.append(
                f"{self.field}: the key {item.written} lies before frame 0 and counts for nothing"
            )
            return
        frames[start] = item
        if end is not None:
            frames[end - 1] = item

    def _travel(
        self, keyframes: Sequence[PromptKeyframe], context: Context, closed: bool, warnings: list[str]
    ) -> list[Travel]:
        if self.dialect == "native" or closed:
            keyframes = [key for key in keyframes if key.frame < context.frames] or keyframes[:1]
        starts = [key.frame for key in keyframes]
        spans: dict[tuple[int, int], list[int]] = {}
        for frame in range(context.frames):
            before = bisect_right(starts, frame) - 1
            pair = self._neighbours(starts, before, frame, closed)
            if keyframes[pair[0]].item is keyframes[pair[1]].item:
                pair = (pair[0], pair[0])
            spans.setdefault(pair, []).append(frame)
        travels: list[Travel | None] = [None] * context.frames
        for (before, after), frames in spans.items():
            befores = self._printed(keyframes[before].item, frames, context, warnings)
            afters = befores
            if after != before:
                afters = self._printed(keyframes[after].item, frames, context, warnings)
            gap = (
                (starts[after] - starts[before]) % context.frames
                if closed
                else starts[after] - starts[before]
            )
            for frame, one, other in zip(frames, befores, afters, strict=True):
                done = (frame - starts[before]) % context.frames if closed else frame - starts[before]
                travels[frame] = Travel(one, other, done / gap if after != before else 0.0)
        return [travel for travel in travels if travel is not None]

    def _neighbours(self, starts: list[int], before: int, frame: int, closed: bool) -> tuple[int, int]:
        """The keyframes that a frame lies between; the same one twice where it lies on one, or outside."""
        last = len(starts) - 1
        if before >= 0 and starts[before] == frame:
            return before, before
        if closed and last > 0 and (before < 0 or before == last):
            return last, 0
        if before < 0:
            return 0, 0
        return before, min(before + 1, last)

    def _printed(
        self, item: PromptItem, frames: list[int], context: Context, warnings: list[str]
    ) -> list[FramePrompt]:
        """The item's prompt at each of `frames`, with what every frame gets besides."""
        at = np.array(frames, dtype=np.float64)

        def printed(template: Template) -> list[str]:
            try:
                return template.printed(context, at, bridge=self.dialect == "deforum", warnings=warnings)
            except FlipbookError as error:
                placed = [dataclasses.replace(p, field=self.field, key=item.written) for p in error.problems]
                raise FlipbookError(*placed) from None

        positives = zip(printed(self.prefix), printed(item.positive), strict=True)
        negatives = zip(printed(item.negative), printed(self.suffix), strict=True)
        return [
            FramePrompt(" ".join(filter(None, positive)), " ".join(filter(None, negative)))
            for positive, negative in zip(positives, negatives, strict=True)
        ]

    def check(self, signals: Sequence[str] = ()) -> None:
        """Raises FlipbookError with every name that means nothing, given the attached signals' names."""
        problems: list[Problem] = []
        for item in self.items:
            for template in (self.prefix, item.positive, item.negative, self.suffix):
                problems += [
                    dataclasses.replace(problem, field=self.field, key=item.written)
                    for problem in template.problems(signals)
                ]
        if problems:
            raise FlipbookError(*dict.fromkeys(problems))


def parse_prompts(
    source: str | Mapping[str, Any], *, field: str = "prompts", dialect: Dialect = "native"
) -> PromptTrack:
    """Reads prompts in any of the shapes people have; see `prompt_shapes.read_shape`.

    Raises FlipbookError with every problem found in keys and expressions.
    """
    shape = read_shape(source, field)
    _refuse_much(shape, field)
    problems: list[Problem] = []
    items: dict[str, PromptItem] = {}
    for key, text in shape.entries:
        try:
            item = _item(key, text, field)
        except FlipbookError as error:
            problems += error.problems
            continue
        items.pop(item.key_text, None)
        items[item.key_text] = item
    prefix, *ruled_out = split_negative(shape.prefix)
    suffix = " ".join(filter(None, [*ruled_out, *split_negative(shape.suffix)]))
    added = []
    for key, text in (("positive", prefix), ("negative", suffix)):
        try:
            added.append(parse_template(text, field=field, key=key))
        except FlipbookError as error:
            problems += error.problems
    if problems:
        raise FlipbookError(*problems)
    return PromptTrack(tuple(items.values()), added[0], added[1], dialect, field)


def _item(key: str, text: str, field: str) -> PromptItem:
    start, end = _keys(key, field)
    positive, negative = (parse_template(part, field=field, key=key) for part in split_negative(text))
    return PromptItem(start, positive, negative, end, key)


def _keys(key: str, field: str) -> tuple[Key, Key | None]:
    """The key and, of a range, its end."""
    if key.isascii() and key.isdecimal() and len(key) <= 15:
        return FrameKey(int(key)), None
    if not key.strip():
        raise FlipbookError(Problem("a key is empty; write a frame", field, code="prompts.syntax"))
    places = parse(key, "lone_key", field=field, key=key, limit=MAX_EXPRESSION_CHARACTERS)
    for place in places:
        if isinstance(place, FormulaKey):
            check_tree([place.formula], key, field=field, key=key)
            message = fraction_problem(place, key)
            if message:
                raise FlipbookError(Problem(message, field, key, code="prompts.syntax"))
    return places[0], places[1] if len(places) > 1 else None


def _refuse_much(shape: Shape, field: str) -> None:
    """Raises FlipbookError for no prompt at all and for more than is read."""
    texts = [shape.prefix, shape.suffix, *(part for entry in shape.entries for part in entry)]
    limits = {
        "characters": (sum(map(len, texts)), MAX_PROMPT_CHARACTERS),
        "keys": (len(shape.entries), MAX_ITEMS),
        "backticks": (sum(text.count("`") for text in texts), 2 * MAX_SPANS),
    }
    for what, (count, most) in limits.items():
        if count > most:
            raise FlipbookError(
                Problem(
                    f"{count:,} {what} are too many; at most {most:,} are read",
                    field,
                    code="prompts.too_many",
                )
            )
    if not shape.entries:
        raise FlipbookError(Problem('there is no prompt; write {"0": "…"}', field, code="prompts.none"))
