"""Limits of text length and nesting.

Each bound lies far above what people write and low enough that a text at the bound is read, or
refused, within a second on one slow core.
"""

from __future__ import annotations

MAX_SCHEDULE_CHARACTERS = 250_000
"""Characters of one schedule. A key for every frame of a ten-minute film at 15 fps takes about 130,000."""

MAX_PROMPT_CHARACTERS = 500_000
"""Characters of all prompts of a film together: a thousand prompts of 500 characters."""

MAX_EXPRESSION_CHARACTERS = 20_000
"""Characters of one expression on its own: a key in quotes, a mask, a span inside a prompt."""

MAX_ITEMS = 10_000
"""Keys of one schedule or prompt track: one for every frame of an eleven-minute film at 15 fps."""

MAX_SPANS = 2_000
"""Expressions between backticks in the prompts of one film; each takes about 0.1 ms to read."""

MAX_NESTING = 100
"""Parentheses inside parentheses. Deeper text is a mistake or an attack."""

MAX_DEPTH = 150
"""Levels of operators and calls inside each other; `1+2+…` with 150 terms is one level per term.
Evaluator and printer use at most three Python calls a level, which fits into Python's default
limit of 1000 below a web server's own calls."""

MAX_TOKENS = 45_000
"""Numbers, words and signs of one schedule, `(1.5)` counting as one: 10,000 plain keys take four each.
Bounds the time of the parser and what one frame costs."""

MAX_MASK_REACH = 1000.0
"""Pixels by which a mask grows, blurs or feathers; more than that covers any canvas."""

MAX_SHOWN = 300
"""Characters of a text that an error repeats with its caret; of longer texts only the column is named."""

MAX_QUOTED = 40
"""Characters of a user's word that a sentence repeats."""
