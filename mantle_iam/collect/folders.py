"""Folders: which files are one input, and what the names of folders say about documents.

A CDK assembly, a Terraform module, an iam-collect folder and a tree of organization policies are each one thing of many files;
every other file stands for itself.  What is left out is named: files of other kinds, folders of tools, links to folders, and
folders that cannot be opened.  Opens nothing but directories.
Source: https://docs.aws.amazon.com/cdk/v2/guide/deploy.html (assemblies), https://github.com/cloud-copilot/iam-collect
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from mantle_iam.collect.organization_files import subject
from mantle_iam.iam.inventory import Purpose

_SKIPPED = frozenset({".git", ".github", ".terraform", "node_modules", "__pycache__", ".venv", ".aws-sam"})
_OF_TOOLS = frozenset(
    {
        ".gitlab-ci.yml",
        ".pre-commit-config.yaml",
        "cdk.context.json",
        "cdk.json",
        "compose.yaml",
        "docker-compose.yml",
        "mkdocs.yml",
        "package-lock.json",
        "package.json",
        "samconfig.yaml",
        "tsconfig.json",
    }
)
"""Files that by their names hold no policy.  One that is named by itself is read, and says what it is."""
_UNFINISHED = ".part"
"""Of the hidden files that reports are written into until they are whole."""
_SUFFIXES = (".json", ".jsonl", ".ndjson", ".yaml", ".yml", ".template", ".gz", ".tfplan")
_CODE = (".tf", ".tf.json")
_WORDS: Final = {
    "scp": Purpose.SCP,
    "scps": Purpose.SCP,
    "service-control-policies": Purpose.SCP,
    "rcp": Purpose.RCP,
    "rcps": Purpose.RCP,
    "resource-control-policies": Purpose.RCP,
    "boundary": Purpose.BOUNDARY,
    "boundaries": Purpose.BOUNDARY,
    "permissions-boundaries": Purpose.BOUNDARY,
    "session": Purpose.SESSION,
    "trust": Purpose.TRUST,
    "trust-policies": Purpose.TRUST,
    "vpc-endpoint": Purpose.VPC_ENDPOINT,
    "vpc-endpoints": Purpose.VPC_ENDPOINT,
    "vpce": Purpose.VPC_ENDPOINT,
    "identity": Purpose.IDENTITY,
}


class UnitKind(StrEnum):
    """What belongs together."""

    FILE = "file"
    MODULE = "terraform"
    COLLECTED = "iam-collect"
    ASSEMBLY = "cdk-assembly"


@dataclass(frozen=True, slots=True)
class Unit:
    """One input: a file, or the files that are one together.  ``given`` is the path that the user named."""

    kind: UnitKind
    path: str
    given: str
    files: tuple[str, ...] = ()
    passed_over: tuple[str, ...] = ()
    """What of a folder is not read, by names: files of other kinds, folders (with a slash at the end)."""


def units(path: str) -> Iterator[Unit]:
    """What there is to read at ``path``, in the order of names."""
    if not os.path.isdir(path):  # noqa: PTH112 - a hostile name raises in pathlib
        kind = UnitKind.MODULE if path.endswith(_CODE) else UnitKind.FILE
        yield Unit(kind, path, path, (path,))
        return
    closed: list[OSError] = []
    for folder, names, files in os.walk(path, onerror=closed.append):
        base = Path(folder)
        left_out = sorted(name for name in names if name in _SKIPPED or (base / name).is_symlink())
        names[:] = sorted(set(names) - set(left_out))
        if "accounts" in names and ({"organizations", "indexes"} & set(names) or base.parent.name == "aws"):
            yield Unit(UnitKind.COLLECTED, folder, path)
            names.clear()
            continue
        if "manifest.json" in files and ("cdk.out" in files or base.name == "cdk.out"):
            yield Unit(UnitKind.ASSEMBLY, folder, path, (str(base / "manifest.json"),))
            names.clear()
            continue
        modules = tuple(str(base / name) for name in sorted(files) if name.endswith(_CODE))
        if modules:
            yield Unit(UnitKind.MODULE, folder, path, modules)
        others = []
        for name in sorted(files):
            if name.startswith(".") and name.endswith(_UNFINISHED):
                continue
            if name in _OF_TOOLS or not name.lower().endswith((*_SUFFIXES, ".tf")):
                others.append(name)
            elif not name.endswith(_CODE):
                yield Unit(UnitKind.FILE, str(base / name), path, (str(base / name),))
        others += [f"{name}/" for name in left_out]
        if others:
            yield Unit(UnitKind.FILE, folder, path, (), tuple(others))
    for error in closed:
        # Read as a file, which says why it cannot be.
        yield Unit(UnitKind.FILE, str(error.filename), path, (str(error.filename),))


def purpose_of(path: str, given: str, kinds: Mapping[str, Purpose]) -> Purpose | None:
    """What the user, or the nearest folder's name, says that a document is for."""
    if given in kinds:
        return kinds[given]
    if path in kinds:
        return kinds[path]
    for part in reversed(Path(path).parts[:-1]):
        found = _WORDS.get(part.lower().replace("_", "-"))
        if found is not None:
            return found
    name = Path(path).name.lower()
    return next(
        (_WORDS[word] for word in ("scp", "rcp", "boundary", "trust") if name.startswith((f"{word}-", f"{word}."))),
        None,
    )


def level_of(path: str, given: str) -> tuple[str, ...] | None:
    """The folders between the root of an organization and a document; ``None`` where no root is named.

    The root is a folder called ``root`` or by its id (``r-ab12``), or the folder that the user gave.
    """
    parts = Path(path).parts[:-1]
    for index, part in enumerate(parts):
        if part.lower() == "root" or (part.startswith("r-") and subject(part) == part):
            return _named(parts[index + 1 :])
    top = Path(given).parts
    return _named(parts[len(top) :]) if parts[: len(top)] == top else None


def has_root(path: str) -> bool:
    """Whether a folder above ``path`` is called as an organization's root is."""
    parts = Path(path).parts[:-1]
    return any(part.lower() == "root" or (part.startswith("r-") and subject(part) == part) for part in parts)


def _named(parts: tuple[str, ...]) -> tuple[str, ...]:
    """Levels alone: folders such as ``scps`` group documents, they are no OU."""
    return tuple(part for part in parts if part.lower() not in _WORDS)
