"""install.py, with the launcher and the list of installed packages replaced."""

from __future__ import annotations

import ast
import importlib.util
import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

REPOSITORY = Path(__file__).resolve().parents[2]
HOST = {
    "torch": "2.1.2+cu121",
    "numpy": "1.26.2",
    "opencv-python": "4.11.0.86",
    "transformers": "4.30.2",
    "gradio": "3.41.2",
    "lark": "1.1.2",
}
NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9]{0,8}([-_.][A-Za-z0-9]{1,4})?", fullmatch=True)
Run = Callable[[dict[str, str], str], int]
LEAST = st.lists(st.integers(0, 40), max_size=3).map(lambda numbers: ".".join(map(str, numbers)))


def load_install() -> ModuleType:
    """The file as a module; its `main` runs only when called."""
    spec = importlib.util.spec_from_file_location("flipbook_install", REPOSITORY / "install.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


install = load_install()


class Launcher:
    """The host's `launch` as far as install.py uses it: remembers commands and the constraints in them."""

    def __init__(self) -> None:
        self.commands: list[list[str]] = []
        self.constraints = ""

    def run_pip(self, command: str, desc: str) -> None:
        words = shlex.split(command)
        self.commands.append(words)
        self.constraints = Path(words[words.index("-c") + 1]).read_text(encoding="utf-8")


@pytest.fixture
def launcher(monkeypatch: pytest.MonkeyPatch) -> Launcher:
    """A launcher that install.py finds."""
    launcher = Launcher()
    monkeypatch.setitem(sys.modules, "launch", SimpleNamespace(run_pip=launcher.run_pip))  # type: ignore[arg-type]
    return launcher


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """main() with these packages installed and this list in pyproject.toml."""

    def run(installed: dict[str, str], dependencies: str) -> int:
        monkeypatch.setattr(install, "installed_packages", lambda: installed)
        pyproject = tmp_path / "pyproject.toml"
        pyproject.write_text(f"[project]\ndependencies = {dependencies}\n", encoding="utf-8")
        return int(install.main(pyproject))

    return run


def test_uses_the_standard_library_only() -> None:
    for name in ("install.py", "preload.py"):
        for node in ast.walk(ast.parse((REPOSITORY / name).read_text(encoding="utf-8"))):
            imported = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            imported += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert {module.split(".")[0] for module in imported} <= sys.stdlib_module_names, name


def test_installs_what_is_missing_and_holds_the_rest(run: Run, launcher: Launcher) -> None:
    assert run(HOST, "['av>=12', 'lark>=1.1']") == 0
    (command,) = launcher.commands
    assert command[0] == "install"
    assert command[3:] == ["av>=12"]
    assert "--upgrade" not in command
    assert set(launcher.constraints.split()) == {f"{name}=={version}" for name, version in HOST.items()}


def test_does_nothing_when_everything_is_there(run: Run, launcher: Launcher) -> None:
    assert run({**HOST, "av": "12.0.0"}, "['av>=12', 'lark>=1.1']") == 0
    assert launcher.commands == []


def test_lifts_what_is_too_old(run: Run, launcher: Launcher) -> None:
    assert run({**HOST, "av": "11.9"}, "['av>=12']") == 0
    assert launcher.commands[0][3:] == ["av>=12"]
    assert "av==" not in launcher.constraints


@pytest.mark.parametrize(
    "name", ["torch", "numpy", "opencv-python", "opencv_python_headless", "transformers", "Gradio"]
)
def test_never_asks_for_the_hosts_own(
    run: Run, launcher: Launcher, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    assert run(HOST, f"['{name}>=99', 'av>=12']") == 1
    assert launcher.commands == []
    assert "update the WebUI" in capsys.readouterr().err


def test_outside_the_webui_says_what_is_missing(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "launch", None)  # type: ignore[arg-type]
    assert run({}, "['av>=12']") == 1
    assert "av>=12" in capsys.readouterr().err


def test_packages_with_odd_versions_are_no_constraints() -> None:
    assert install.constraints({"clip": "1.0", "old": "0.1-dev-unknown"}, []) == "clip==1.0\n"


def test_sees_what_is_installed() -> None:
    assert re.match(r"\d", install.installed_packages()["pytest"])


def test_reads_the_lists_of_this_repository() -> None:
    text = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    requirements = install.read_requirements(text)
    assert {"av", "lark"} <= {requirement.name for requirement in requirements}
    if sys.version_info >= (3, 11):
        import tomllib

        listed = tomllib.loads(text)["project"]["dependencies"]
        assert [str(requirement) for requirement in requirements] == [
            install.normalised(entry.replace(" ", "")) if ">=" not in entry else entry.replace(" ", "")
            for entry in listed
        ]


@given(st.lists(st.tuples(NAMES, LEAST), max_size=5), st.sampled_from([", ", ",\n    ", " , # one, ']' \n"]))
def test_reads_any_list_as_written(entries: list[tuple[str, str]], separator: str) -> None:
    written = separator.join(f'"{name}{">= " + least if least else ""}"' for name, least in entries)
    above = '[build-system]\nrequires = ["x"]\n[project] # here\nname = "n"\n'
    text = f"{above}dependencies = [ {written}\n]\n[tool.x]\n"
    assert install.read_requirements(text) == [
        install.Requirement(install.normalised(name), tuple(map(int, least.split("."))) if least else ())
        for name, least in entries
    ]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[project]\nname = 'n'\n",
        "[tool.x]\ndependencies = ['a']\n",
        "[project]\ndependencies = ['a', b]\n",
        "[project]\ndependencies = ['a'\n",
        '[project]\ndependencies = ["a\\u0062"]\n',
        "[project]\ndependencies = ['a==1']\n",
        "[project]\ndependencies = ['a>=1,<2']\n",
        "[project]\ndependencies = ['a[x]>=1']\n",
        "[project]\ndependencies = ['a>=1; python_version<\"3.11\"']\n",
    ],
)
def test_says_so_when_it_cannot_read(text: str) -> None:
    with pytest.raises(ValueError, match=r"pyproject\.toml"):
        install.read_requirements(text)


@pytest.mark.parametrize(
    ("have", "least", "met"),
    [
        ("12.0.0", "12", True),
        ("12", "12.0.0", True),
        ("11.9.9", "12", False),
        ("1.10", "1.9", True),
        ("1.1.2", "1.1.3", False),
        ("2.1.2+cu121", "2.1", True),
        ("", "1", False),
    ],
)
def test_compares_versions_by_number(have: str, least: str, met: bool) -> None:
    (requirement,) = install.read_requirements(f"[project]\ndependencies = ['p>={least}']\n")
    assert install.is_met(requirement, {"p": have}) is met


def test_any_version_meets_a_bare_name() -> None:
    (requirement,) = install.read_requirements("[project]\ndependencies = ['p']\n")
    assert install.is_met(requirement, {"p": "0.0.1"})
    assert not install.is_met(requirement, {})
