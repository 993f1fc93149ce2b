"""Installs what Flipbook adds to the WebUI's packages. The WebUI runs this file at every start.

Standard library only. Reads `project.dependencies` of pyproject.toml, asks pip for what is missing or too
old and for nothing else, and holds every other installed package at its present version: pip fails rather
than move one.
"""

from __future__ import annotations

import importlib
import re
import sys
import tempfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

HOSTS_OWN = {"torch", "torchvision", "torchaudio", "xformers", "numpy", "transformers", "gradio"}
"""Packages that belong to the WebUI, with everything named opencv: never installed nor moved from here."""

VERSION = re.compile(r"\d+(\.\d+)*((a|b|rc)\d+)?(\.post\d+)?(\.dev\d+)?(\+[A-Za-z0-9.]+)?")


class Requirement(NamedTuple):
    """One entry of the list: a package's normalised name and the least version, `()` for any."""

    name: str
    least: tuple[int, ...]

    def __str__(self) -> str:
        """The form that pip reads."""
        return f"{self.name}>={'.'.join(map(str, self.least))}" if self.least else self.name


def normalised(name: str) -> str:
    """The spelling under which PyPI compares names."""
    return re.sub(r"[-_.]+", "-", name).lower()


def strings_of_array(text: str) -> Iterator[str]:
    """The strings of the TOML array whose opening bracket precedes `text`, up to its closing bracket.

    Knows strings of one line without escapes, commas, comments and white space; raises ValueError otherwise.
    """
    token = re.compile(r"""\s+|,|\#[^\n]*|"([^"\\\n]*)"|'([^'\n]*)'|(\])""")
    at = 0
    while found := token.match(text, at):
        if found[3]:
            return
        value = found[1] if found[1] is not None else found[2]
        if value is not None:
            yield value
        at = found.end()
    raise ValueError(f"pyproject.toml: dependencies: cannot read {text[at : at + 30]!r}")


def read_requirements(pyproject: str) -> list[Requirement]:
    """The list `dependencies` of the table `[project]`; ValueError for entries beyond NAME and NAME>=VERSION.

    Python 3.10, on which the WebUI runs, has no reader of TOML.
    """
    table = re.search(r"^\[project\][ \t]*(?:#[^\n]*)?$(.*?)(?=^\[|\Z)", pyproject, re.MULTILINE | re.DOTALL)
    array = table and re.search(r"^dependencies[ \t]*=[ \t]*\[(.*)", table[1], re.MULTILINE | re.DOTALL)
    if not array:
        raise ValueError("pyproject.toml: no list named dependencies in the table [project]")
    requirements = []
    for entry in strings_of_array(array[1]):
        parts = re.fullmatch(r"\s*([A-Za-z0-9][\w.-]*)\s*(?:>=\s*(\d+(?:\.\d+)*))?\s*", entry)
        if not parts:
            raise ValueError(
                f"pyproject.toml: dependencies: {entry!r} is not of the form NAME or NAME>=VERSION"
            )
        least = tuple(map(int, parts[2].split("."))) if parts[2] else ()
        requirements.append(Requirement(normalised(parts[1]), least))
    return requirements


def installed_packages() -> dict[str, str]:
    """Versions by normalised name of what this interpreter can import."""
    packages: dict[str, str] = {}
    for distribution in metadata.distributions():
        name = distribution.metadata["Name"]
        if name:
            packages.setdefault(normalised(name), distribution.version)
    return packages


def is_met(requirement: Requirement, installed: dict[str, str]) -> bool:
    """Whether a version is there and new enough, going by the numbers in front: 1.2rc1 counts as 1.2."""
    version = installed.get(requirement.name)
    numbers = re.match(r"\d+(\.\d+)*", version or "")
    if version is None or not numbers:
        return False
    have = tuple(map(int, numbers[0].split(".")))
    length = max(len(have), len(requirement.least))
    return have + (0,) * (length - len(have)) >= requirement.least + (0,) * (length - len(requirement.least))


def constraints(installed: dict[str, str], wanted: list[Requirement]) -> str:
    """Lines for pip that hold every installed package but the `wanted` ones where it is."""
    free = {requirement.name for requirement in wanted}
    kept = (item for item in sorted(installed.items()) if item[0] not in free and VERSION.fullmatch(item[1]))
    return "".join(f"{name}=={version}\n" for name, version in kept)


def main(pyproject: Path) -> int:
    """Installs through the WebUI's launcher. Returns 0 when everything is there afterwards, else 1."""
    installed = installed_packages()
    missing = [
        r for r in read_requirements(pyproject.read_text(encoding="utf-8")) if not is_met(r, installed)
    ]
    hosts = [str(r) for r in missing if r.name in HOSTS_OWN or r.name.startswith("opencv")]
    if hosts:
        sys.stderr.write(f"Flipbook needs {', '.join(hosts)}, which the WebUI brings: update the WebUI.\n")
        return 1
    if not missing:
        return 0
    names = ", ".join(map(str, missing))
    try:
        launch = importlib.import_module("launch")
    except ImportError:
        sys.stderr.write(
            f"Flipbook needs {names}. The WebUI installs that when it starts; nothing done here.\n"
        )
        return 1
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "constraints.txt"
        path.write_text(constraints(installed, missing), encoding="utf-8")
        wanted = " ".join(f'"{requirement}"' for requirement in missing)
        launch.run_pip(f'install -c "{path}" {wanted}', f"{names} for Flipbook")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parent / "pyproject.toml"))
