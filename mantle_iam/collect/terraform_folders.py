"""The files of Terraform modules: their code, the variables beside it, and what ``file()`` names.

Opens files; knows nothing of what is in them.  A module may be anywhere, as for Terraform; a file that code names is read only
below the folder of a module, since code that nobody has reviewed must not choose what is shown.
Source: https://developer.hashicorp.com/terraform/language/values/variables#variable-definition-precedence
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from mantle_iam.collect.documents import LONGEST_DOCUMENT
from mantle_iam.collect.fields import Notes
from mantle_iam.collect.openers import STDIN, Opener
from mantle_iam.collect.places import TextError, decode_text

_MOST_FILES = 1000
_LARGEST = 8_000_000
_CODE = (".tf", ".tf.json")
_VARIABLES = (".auto.tfvars", ".auto.tfvars.json")


class Folders:
    """Reads beside and below the first file of a root module.  ``-`` has nothing beside it."""

    def __init__(self, first: str, read_file: Callable[[str], str | None]) -> None:
        self._top = None if first == STDIN else Path(first).parent
        self._read_file = read_file
        self._opener = Opener()
        self._modules: dict[str, Path] = {}

    def path(self, folder: str) -> str:
        """A module's folder, below the root module's, as the user would name it."""
        return os.path.normpath(os.path.join(self._top or "", folder))  # noqa: PTH118 - with `..`, which pathlib keeps

    def code(self, folder: str, notes: Notes) -> list[tuple[str, str]]:
        """Path and text of the files of a module; none where there is no such folder."""
        if self._top is None:
            return []
        path = Path(self.path(folder))
        try:
            names = sorted(each.name for each in path.iterdir() if each.name.endswith(_CODE))[:_MOST_FILES]
        except (OSError, ValueError):
            return []
        self._modules[folder] = path
        return list(self._texts(path, names, notes))

    def variables(self, notes: Notes) -> list[tuple[str, str]]:
        """Path and text of the files of variables that Terraform loads by itself, the strongest last."""
        if self._top is None:
            return []
        try:
            beside = sorted(each.name for each in self._top.iterdir() if each.name.endswith(_VARIABLES))
        except (OSError, ValueError):
            return []
        names = [name for name in ("terraform.tfvars", "terraform.tfvars.json") if (self._top / name).is_file()]
        return list(self._texts(self._top, [*names, *beside[:_MOST_FILES]], notes))

    def file(self, name: str) -> tuple[str, str] | None:
        """A file that the code names, if it is below the root module or one that it calls."""
        if self._top is None:
            return None
        text = self._read_file(name)
        path = self.path(name)
        if text is None and any(self._below(path, folder) for folder in self._modules.values()):
            text = self._text(path, LONGEST_DOCUMENT)
        return None if text is None else (path, text)

    def _below(self, path: str, folder: Path) -> bool:
        try:
            return Path(path).resolve().is_relative_to(folder.resolve())
        except (OSError, ValueError, RuntimeError):
            return False

    def _text(self, path: str, most: int) -> str | None:
        try:
            return decode_text(self._opener.read(path, most)).text
        except TextError:
            return None

    def _texts(self, folder: Path, names: list[str], notes: Notes) -> Iterator[tuple[str, str]]:
        for name in names:
            path = str(folder / name)
            try:
                yield path, decode_text(self._opener.read(path, _LARGEST)).text
            except TextError as error:
                notes.add(error.message, path)
