"""The documentation is true: every command has help and a place in the README, every code a section, every path exists."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from mantle_iam.cli.main import COMMANDS, cli

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text("utf-8")
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
HELP_WIDTH = "80"


def _with_subcommands(name: str) -> Iterator[tuple[str, click.Command]]:
    command: click.Command = importlib.import_module(f"mantle_iam.cli.{COMMANDS[name][0]}").command
    yield name, command
    if isinstance(command, click.Group):
        yield from ((f"{name} {sub}", found) for sub, found in command.commands.items())


@pytest.mark.parametrize("name", COMMANDS)
def test_command_and_its_options_have_help(name: str) -> None:
    for full, command in _with_subcommands(name):
        assert command.help, f"`mantle-iam {full}` has no help"
        for parameter in command.params:
            if isinstance(parameter, click.Option) and not parameter.hidden:
                assert parameter.help, f"`mantle-iam {full} {parameter.opts[0]}` has no help"


@pytest.mark.parametrize("name", COMMANDS)
def test_command_is_documented(name: str) -> None:
    texts = [path.read_text("utf-8") for path in DOCUMENTS if path.name != "CHANGELOG.md"]
    for full, command in _with_subcommands(name):
        documented = command.hidden or any(f"mantle-iam {full}" in text for text in texts)
        assert documented, f"`mantle-iam {full}` stands nowhere in README.md or docs/"


@pytest.mark.parametrize("name", COMMANDS)
def test_command_is_in_the_readme(name: str) -> None:
    assert f"mantle-iam {name}" in README


def test_group_names_every_command_without_importing_it() -> None:
    assert cli.list_commands(click.Context(cli)) == list(COMMANDS)
    for name, (_, line) in COMMANDS.items():
        assert line.endswith("."), name


@pytest.mark.slow
def test_help_in_the_readme_is_the_help() -> None:
    begin, end = "<!-- help:begin -->", "<!-- help:end -->"
    assert README.count(begin) == README.count(end) == 1, (
        "README.md has no block between the markers help:begin and help:end"
    )
    block = README.partition(begin)[2].partition(end)[0].strip()
    environment = os.environ | {"COLUMNS": HELP_WIDTH, "NO_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "mantle_iam", "--help"], capture_output=True, text=True, env=environment, check=True
    )
    shown = re.sub(r"\A```\w*\n|\n```\Z", "", block)
    shown = shown.removeprefix("$ mantle-iam --help\n")
    assert shown.strip() == done.stdout.strip(), "put the output of `COLUMNS=80 mantle-iam --help` between the markers"


def _anchors(text: str) -> set[str]:
    """What a heading is linked by on GitHub, and explicit anchors."""
    headings = re.findall(r"^#{1,6} +(.+?) *$", text, re.MULTILINE)
    slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    return slugs | set(re.findall(r'<a (?:id|name)="([^"]+)"', text))


def test_every_diagnosis_code_has_its_section() -> None:
    codes = importlib.import_module("mantle_iam.diagnose.codes")
    known = {str(getattr(entry, "code", entry)) for entry in codes.CODES}
    assert len(known) > 30
    missing = known - _anchors((ROOT / "docs" / "diagnoses.md").read_text("utf-8"))
    assert missing == set(), "docs/diagnoses.md lacks these sections"


_LINK = re.compile(r"\]\(([^)\s]+)\)")


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_relative_links_lead_somewhere(path: Path) -> None:
    text = path.read_text("utf-8")
    for target in _LINK.findall(text):
        if target.startswith(("https://", "http://", "mailto:")):
            continue
        name, _, anchor = target.partition("#")
        file = (path.parent / name).resolve() if name else path
        assert file.exists(), f"{path.name} links to {target}"
        if anchor and file.suffix == ".md":
            assert anchor in _anchors(file.read_text("utf-8")), f"{path.name} links to {target}"


_PATH = re.compile(r"`((?:mantle_iam|tests|docs|policies|templates|benchmarks)/[\w./-]*)`")


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_files_that_are_named_exist(path: Path) -> None:
    named = _PATH.findall(path.read_text("utf-8"))
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_make_targets_that_are_named_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    for path in DOCUMENTS:
        named = set(re.findall(r"`make ([a-z]+)", path.read_text("utf-8")))
        assert named <= targets, f"{path.name}: {named - targets}"


def test_changelog_is_kept() -> None:
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert "## [Unreleased]" in text
    sections = set(re.findall(r"^### (.+)$", text, re.MULTILINE))
    assert sections <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


@pytest.mark.parametrize("path", sorted((ROOT / "docs" / "adr").glob("0*.md")), ids=lambda path: path.stem)
def test_decision_admits_what_it_costs(path: Path) -> None:
    text = path.read_text("utf-8")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Situation", "Decision", "Consequences"]
    assert "\nBad: " in text
    assert path.name in (ROOT / "docs" / "adr" / "README.md").read_text("utf-8")
