"""Parse the WebUI's PNG info text."""

from __future__ import annotations

import re

from lib_anim.settings.infotext import label_pairs

_LAST = re.compile(r"^Steps: |^[\w ]+: .*, [\w ]+: ")
NEGATIVE = "Negative prompt:"


def parse_parameters(text: str) -> dict[str, str]:
    """Label → value, with "Prompt" and "Negative prompt" among the labels; empty for a text that is none.

    The prompt's lines come first, then the negative ones from "Negative prompt:" on, then one line of
    `Label: value` pairs.
    """
    lines = text.strip().splitlines()
    if not lines:
        return {}
    found: dict[str, str] = {}
    if _LAST.match(lines[-1]):
        found.update(label_pairs(lines.pop()))
    prompt: list[str] = []
    negative: list[str] | None = None
    for line in lines:
        if negative is None and line.startswith(NEGATIVE):
            negative = [line.removeprefix(NEGATIVE).strip()]
        else:
            (prompt if negative is None else negative).append(line)
    found["Prompt"] = "\n".join(prompt).strip()
    if negative is not None:
        found["Negative prompt"] = "\n".join(negative).strip()
    return found


def find_checkpoint(names: tuple[str, ...], model: str, digest: str) -> str | None:
    """The engine's name of a checkpoint that PNG info gives by name and short hash; None where it has none.

    A WebUI's names may end in " [hash]"; others are file names with or without an ending.
    """
    for name in names:
        if digest and f"[{digest}]" in name:
            return name
    plain = {re.sub(r"\.(safetensors|ckpt)$", "", re.sub(r" \[\w+\]$", "", name)): name for name in names}
    return plain.get(model) if model else None
