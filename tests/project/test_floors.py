"""The floors of the plan: that the contracts of pyproject.toml catch what they are there to catch."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "erlangen"
LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")

#: From here on, up: what may use the library as its users do.
TOP = {"__main__", "cli", "testing", "studies", "fitting"}


#: Importers and what they may not import, with the contract that says so.
FORBIDDEN = [
    ("groups", "symmetrize", "floors"),
    ("linalg", "groups", "floors"),
    ("measure", "testing", "floors"),
    ("symmetrize", "fields.jets", "floors"),
    ("maps", "nn", "floors"),
    ("fields.jets", "studies", "floors"),
    ("fitting", "cli", "floors"),
    ("measure", "discover", "floors"),
    ("symmetrize", "measure", "floors"),
    ("nn", "symmetrize", "floors"),
    ("parameters", "nn", "floors"),
    ("equivariance", "nn", "floors"),
    ("maps", "equivariance", "floors"),
    ("datasets", "fields.jets", "floors"),
    ("discover", "datasets", "floors"),
    ("fitting", "studies", "floors"),
    ("fields.jets", "fields.mechanics", "fields"),
]


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package and its contracts, with an empty package for every place that is still to be built."""
    root = tmp_path_factory.mktemp("floors")
    shutil.copy(ROOT / "pyproject.toml", root)
    shutil.copytree(SOURCE, root / "erlangen", ignore=shutil.ignore_patterns("__pycache__"))
    for place in ("maps", "nn", "discover", "parameters", "fields/jets", "fields/mechanics", "fitting", "studies"):
        (root / "erlangen" / place).mkdir(parents=True, exist_ok=True)
        (root / "erlangen" / place / "__init__.py").touch()
    return root


def contracts(root: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(LINT_IMPORTS), "--no-cache", "--no-logo"],
        cwd=root,
        env={**os.environ, "COLUMNS": "200"},  # lines are not to be broken
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_contracts_hold_and_what_breaks_them_is_caught(package: Path) -> None:
    """Every intruder is named under its contract, and nothing else is."""
    result = contracts(package)
    assert result.returncode == 0, result.stdout
    wanted: dict[str, set[str]] = {}
    for importer, imported, contract in FORBIDDEN:
        name = f"intruder_{imported.replace('.', '_')}"
        # Inside a function, where it would do no harm to importing the package: it is against the plan all the same.
        (package / "erlangen" / importer.replace(".", "/") / f"{name}.py").write_text(
            f'"""Reaches up."""\n\n\ndef reach():\n    import erlangen.{imported}\n'
        )
        wanted.setdefault(contract, set()).add(f"erlangen.{importer}.{name} -> erlangen.{imported}")
    (package / "erlangen" / "groups" / "intruder.py").write_text('"""Knows an engine."""\n\nimport pythia8mc\n')
    wanted["engines"] = {"erlangen.groups.intruder -> pythia8mc"}
    (package / "erlangen" / "stray.py").write_text('"""On no floor."""\n')
    wanted["floors"].add("erlangen.stray")
    result = contracts(package)
    assert result.returncode != 0
    said = result.stdout
    parts = said.split("Broken contracts", 1)[1]
    for contract, lines in wanted.items():
        name = contract_name(contract)
        assert f"{name} BROKEN" in said
        part = re.split(r"^(.+)\n-{3,}$", parts, flags=re.M)
        named = part[part.index(name) + 1]
        assert {line.strip() for line in re.findall(r"^- +([^(\n]+)", named, re.M)} == lines
    assert said.count(" BROKEN") == len(wanted)


#: Extras that are no engines: what peers and checks need.
NO_ENGINES = {"bench", "docs", "test", "dev"}
#: Distributions whose module has another name.
MODULES = {
    "pillow": "PIL",
    "scikit-learn": "sklearn",
    "scikit-fem": "skfem",
    "scikit-image": "skimage",
    "freud-analysis": "freud",
    "python-sat": "pysat",
}


def modules() -> dict[str, set[str]]:
    """The modules of each extra."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    names = {extra: {re.split("[<>=! ]", line)[0] for line in lines} for extra, lines in extras.items()}
    return {extra: {MODULES.get(name, name.replace("-", "_")) for name in found} for extra, found in names.items()}


def engines() -> dict[str, set[str]]:
    """The modules of each extra that is an engine's."""
    return {extra: found for extra, found in modules().items() if extra not in NO_ENGINES}


def test_the_contract_knows_every_engine() -> None:
    tables = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    contract = next(table for table in tables if table["id"] == "engines")
    core = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    always = {MODULES.get(name, name.replace("-", "_")) for name in (re.split("[<>=! ]", line)[0] for line in core)}
    assert set(contract["forbidden_modules"]) == set().union(*engines().values()) - always


def test_an_engine_is_asked_for_with_the_extra_that_has_it() -> None:
    known, asked = modules(), []
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("engine", "shipped"):
                extra, module = node.args
                assert isinstance(extra, ast.Constant), f"{path}: {ast.unparse(node)}"
                if isinstance(module, ast.Constant):
                    asked.append(module.value)
                    assert module.value.partition(".")[0] in known[extra.value], f"{path}: {ast.unparse(node)}"
    assert len(asked) > 20


def contract_name(ident: str) -> str:
    tables = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    return next(table["name"] for table in tables if table["id"] == ident)


def imports(path: Path) -> list[str]:
    """What a file imports when it is imported: not inside functions, nor for type checkers only."""
    found: list[str] = []
    waiting: list[ast.AST] = [ast.parse(path.read_text())]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found += [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting += node.orelse
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            waiting += ast.iter_child_nodes(node)
    return found


def test_floor_1_is_loaded_in_order() -> None:
    """Groups, what an action is, representations, actions made of representations: none needs a later one.

    A contract cannot say this, for it sees the doors that lead back too: `group.vector` builds a representation.
    """
    actions = [f"erlangen.actions.{name}" for name in ("members", "frontier", "base")]
    order = ("erlangen.groups", *actions, "erlangen.reps", "erlangen.actions")

    def rank(module: str) -> int | None:
        return next((i for i, name in enumerate(order) if f"{module}.".startswith(f"{name}.")), None)

    for folder in ("groups", "reps", "actions"):
        for path in (SOURCE / folder).rglob("[!_]*.py"):
            here = rank(".".join(path.relative_to(SOURCE.parent).with_suffix("").parts))
            assert here is not None
            up = [module for module in imports(path) if (rank(module) or 0) > here]
            assert not up, f"{path.relative_to(SOURCE)} imports {up} when it is loaded"


def test_nobody_below_the_studies_imports_the_public_face() -> None:
    """`import erlangen as er` and `from erlangen import SO` would hide from the contracts what is used."""
    for path in SOURCE.rglob("*.py"):
        place = path.relative_to(SOURCE).parts[0].removesuffix(".py")
        if place in TOP | {"__init__"}:
            continue
        for module in imports(path):
            root, _, rest = module.partition(".")
            if root == "erlangen":
                name = rest.split(".")[0]
                there = bool(name) and ((SOURCE / name).is_dir() or (SOURCE / f"{name}.py").is_file())
                assert there, f"{path.relative_to(SOURCE)}: import {module} from where it is defined"
