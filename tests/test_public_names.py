"""The names of ``mantle_iam``: each is there, is what its home module calls so, and costs nothing until it is used."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import mantle_iam


@pytest.mark.parametrize("name", mantle_iam.__all__)
def test_each_is_there(name: str) -> None:
    found = getattr(mantle_iam, name)
    assert name == "__version__" or (found.__name__ == name and found.__module__.startswith("mantle_iam."))


def test_type_checkers_see_the_same_names() -> None:
    """mypy reads the imports, the interpreter the table."""
    tree = ast.parse(Path(mantle_iam.__file__).read_text("utf-8"))
    guarded = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {alias.name for node in guarded.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert seen == set(mantle_iam.__all__) - {"__version__"}


def test_importing_the_package_imports_nothing_else() -> None:
    script = "import sys, mantle_iam; print([name for name in sys.modules if name.startswith('mantle_iam.')])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nonesuch"):
        mantle_iam.nonesuch  # noqa: B018
