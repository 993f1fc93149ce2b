"""Settings: checked, immutable values with one spec per field."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from lib_anim.errors import FlipbookError, Problem
from lib_anim.settings.fields import DIALECTS, KEY, NATIVE, Spec, problems_of, shown
from lib_anim.timeline.items import Dialect

VERSION = 1
"""Of the JSON form. A later version reads older ones through named migrations."""

DEFORUM_KEYS = "deforum"
"""The entry of `extra` that holds the keys of a Deforum file which reach no setting."""

S = TypeVar("S", bound="Settings")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Base of the settings of every kind. Fields are made by `setting`, and checked whenever one is built.

    Raises FlipbookError with every problem at once. Values are put into canonical form; nothing
    else is altered.
    """

    kind: ClassVar[str] = ""
    dialect: Dialect = NATIVE
    """Which reading of schedules and prompts applies: "native", or "deforum" for what came from a
    Deforum settings file."""
    extra: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Keys of a file that this version does not know; kept, and written back when saved."""

    def __post_init__(self) -> None:
        problems: list[Problem] = []
        if self.dialect not in DIALECTS:
            words = f"{shown(self.dialect)} is not allowed; it takes {' or '.join(map(shown, DIALECTS))}"
            raise FlipbookError(Problem(words, field="dialect", code="value.not_allowed"))
        for name, spec in specs(type(self)).items():
            value, wrong = problems_of(spec, name, getattr(self, name), self.dialect)
            object.__setattr__(self, name, value)
            # Deforum never evaluates values that no frame needs; for its files the plan finds unknown names.
            if not wrong and self.dialect == NATIVE:
                wrong = self._unknown_names(name, spec)
            problems.extend(wrong)
        problems.extend(self.contradictions() if not problems else ())
        if problems:
            raise FlipbookError(*problems)

    def contradictions(self) -> Iterable[Problem]:
        """Problems between fields that are each right by themselves."""
        return ()

    def signal_names(self) -> frozenset[str]:
        """Names of the film's signals, which its schedules may use besides the language's own names."""
        return frozenset()

    def _unknown_names(self, name: str, spec: Spec) -> tuple[Problem, ...]:
        try:
            spec.check_names(getattr(self, name), field=name, signals=self.signal_names())
        except FlipbookError as error:
            return error.problems
        return ()

    def values(self) -> dict[str, Any]:
        """Every setting's canonical value by name, without `dialect` and `extra`."""
        return {name: getattr(self, name) for name in specs(type(self))}

    def changed(self: S, changes: Mapping[str, Any]) -> S:
        """A copy with some settings replaced. Raises FlipbookError for names that do not exist."""
        unknown = [unknown_key(type(self), name) for name in changes if name not in specs(type(self))]
        if unknown:
            raise FlipbookError(*unknown)
        return dataclasses.replace(self, **changes)

    def from_defaults(self) -> dict[str, Any]:
        """What differs from the defaults, as JSON values."""
        default = type(self)()
        return {
            name: spec.to_json(getattr(self, name))
            for name, spec in specs(type(self)).items()
            if getattr(self, name) != getattr(default, name)
        }


def specs(cls: type[Settings]) -> dict[str, Spec]:
    """Name → spec of every setting of a class, in the order of its definition."""
    return {f.name: f.metadata[KEY] for f in dataclasses.fields(cls) if KEY in f.metadata}


def unknown_key(cls: type[Settings], name: str) -> Problem:
    """The sentence for a name that is not a setting, with the nearest one that is."""
    near = difflib.get_close_matches(name, specs(cls), n=1, cutoff=0.6)
    hint = f'; the nearest is "{near[0]}"' if near else f"; `schema {cls.kind}` lists all of them"
    return Problem(
        f'there is no setting "{name}" in {cls.kind}{hint}', field=name, code="settings.unknown_name"
    )


def to_json(settings: Settings) -> dict[str, Any]:
    """Settings as JSON: every value, the kind, the form's version, and the unknown keys as they were."""
    values = {name: spec.to_json(getattr(settings, name)) for name, spec in specs(type(settings)).items()}
    head: dict[str, Any] = {"kind": settings.kind, "version": VERSION}
    if settings.dialect != NATIVE:
        head["dialect"] = settings.dialect
    return {**head, **values, **{key: value for key, value in settings.extra.items() if key not in values}}


def from_json(cls: type[S], data: Mapping[str, Any]) -> tuple[S, tuple[str, ...]]:
    """(settings, warnings) from a JSON object as `to_json` writes it; missing keys take their defaults.

    Unknown keys are kept in `extra` and named in a warning. Raises FlipbookError with all problems.
    """
    version = data.get("version", VERSION)
    if not isinstance(version, int) or not 1 <= version <= VERSION:
        sentence = f"{version!r} is newer than this Flipbook reads ({VERSION}); update Flipbook"
        raise FlipbookError(Problem(sentence, field="version", code="settings.newer_version"))
    known = specs(cls)
    extra = {k: v for k, v in data.items() if k not in known and k not in ("kind", "version", "dialect")}
    values = {k: v for k, v in data.items() if k in known}
    settings = cls(**values, dialect=data.get("dialect", NATIVE), extra=extra)
    unknown = [key for key in extra if key != DEFORUM_KEYS]
    return settings, tuple(
        f"{unknown_key(cls, key).sentence}; it is kept but has no effect" for key in unknown
    )


def json_schema(cls: type[Settings]) -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a kind's settings."""
    default = cls()
    properties = {
        name: {
            "title": spec.label,
            "description": spec.help,
            "default": spec.to_json(getattr(default, name)),
            **({"x-unit": spec.unit} if spec.unit else {}),
            **({"x-group": spec.group} if spec.group else {}),
            **({"x-basic": True} if spec.basic else {}),
            **spec.schema(),
        }
        for name, spec in specs(cls).items()
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": cls.kind,
        "type": "object",
        "properties": {
            "kind": {"const": cls.kind},
            "version": {"type": "integer", "minimum": 1, "maximum": VERSION},
            "dialect": {"enum": list(DIALECTS)},
            **properties,
        },
    }
