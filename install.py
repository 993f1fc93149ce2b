"""Installs Flipbook's missing packages into the WebUI's environment. The WebUI runs this at every start.

Standard library only. Reads `project.dependencies` of pyproject.toml, installs only the packages that are
missing or too old, and pins every other installed package to its current version, so that pip fails instead
of changing one.
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

WEBUI_PACKAGES = {"torch", "torchvision", "torchaudio", "xformers", "numpy", "transformers", "gradio"}
"""Packages that the WebUI provides, like all whose names start with opencv; never installed here."""

VERSION = re.compile(r"\d+(\.\d+)*((a|b|rc)\d+)?(\.post\d+)?(\.dev\d+)?(\+[A-Za-z0-9.]+)?")


class Requirement(NamedTuple):
    """One dependency: a package's normalised name and its minimum version, `()` for any."""

    name: str
    minimum: tuple[int, ...]

    def __str__(self) -> str:
        """The requirement in pip's syntax."""
        return f"{self.name}>={'.'.join(map(str, self.minimum))}" if self.minimum else self.name


def normalised(name: str) -> str:
    """The package name in PyPI's normalised spelling."""
    return re.sub(r"[-_.]+", "-", name).lower()


def strings_of_array(text: str) -> Iterator[str]:
    """The strings of a TOML array; `text` starts after the opening bracket, parsing ends at the closing one.

    Supports single-line strings without escapes, commas, comments and white space; raises ValueError for
    anything else.
    """
    token = re.compile(r"""\s+|,|\#[^\n]*|"([^"\\\n]*)"|'([^'\n]*)'|(\])""")
    position = 0
    while found := token.match(text, position):
        if found[3]:
            return
        value = found[1] if found[1] is not None else found[2]
        if value is not None:
            yield value
        position = found.end()
    raise ValueError(f"pyproject.toml: dependencies: cannot parse {text[position : position + 30]!r}")


def read_requirements(pyproject: str) -> list[Requirement]:
    """Parse `dependencies` of the table `[project]`; ValueError for entries not NAME or NAME>=VERSION.

    Python 3.10, on which the WebUI runs, has no TOML parser.
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
        minimum = tuple(map(int, parts[2].split("."))) if parts[2] else ()
        requirements.append(Requirement(normalised(parts[1]), minimum))
    return requirements


def installed_packages() -> dict[str, str]:
    """Normalised name → version of every package installed for this interpreter."""
    packages: dict[str, str] = {}
    for distribution in metadata.distributions():
        name = distribution.metadata["Name"]
        if name:
            packages.setdefault(normalised(name), distribution.version)
    return packages


def is_met(requirement: Requirement, installed: dict[str, str]) -> bool:
    """Whether the package is installed and new enough; only leading numbers count: 1.2rc1 is 1.2."""
    version = installed.get(requirement.name)
    numbers = re.match(r"\d+(\.\d+)*", version or "")
    if version is None or not numbers:
        return False
    have = tuple(map(int, numbers[0].split(".")))
    length = max(len(have), len(requirement.minimum))
    return have + (0,) * (length - len(have)) >= requirement.minimum + (0,) * (
        length - len(requirement.minimum)
    )


def constraints(installed: dict[str, str], wanted: list[Requirement]) -> str:
    """pip constraints that pin every installed package except the `wanted` ones to its current version."""
    unpinned = {requirement.name for requirement in wanted}
    pinned = (
        item for item in sorted(installed.items()) if item[0] not in unpinned and VERSION.fullmatch(item[1])
    )
    return "".join(f"{name}=={version}\n" for name, version in pinned)


def main(pyproject: Path) -> int:
    """Install missing packages through the WebUI's launcher. Returns 0 when all are installed, else 1."""
    installed = installed_packages()
    missing = [
        r for r in read_requirements(pyproject.read_text(encoding="utf-8")) if not is_met(r, installed)
    ]
    from_webui = [str(r) for r in missing if r.name in WEBUI_PACKAGES or r.name.startswith("opencv")]
    if from_webui:
        sys.stderr.write(
            f"Flipbook needs {', '.join(from_webui)}, which the WebUI provides; update the WebUI\n"
        )
        return 1
    if not missing:
        return 0
    names = ", ".join(map(str, missing))
    try:
        launch = importlib.import_module("launch")
    except ImportError:
        sys.stderr.write(
            f"Flipbook needs {names}, which cannot be installed outside the WebUI; start the WebUI\n"
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
