"""Inputs from files, of every kind and together: dumps, organizations, Terraform, CloudFormation, CDK, documents.

``read_inputs`` gives all at once, ``stream_inputs`` an account at a time, so that an organization need not fit into memory.  What
cannot be read is an ``Input`` that failed, and the rest goes on; nothing that is in a file is raised.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from json import JSONDecodeError, JSONDecoder
from pathlib import Path
from typing import Any

from mantle_iam.collect.collected import Collection
from mantle_iam.collect.documents import LONGEST_DOCUMENT, Documents
from mantle_iam.collect.dumps import DETAILS, Dumped, Managed, Page, is_dump, is_truncated, read_pages
from mantle_iam.collect.fields import Notes, shown
from mantle_iam.collect.folders import Unit, UnitKind, units
from mantle_iam.collect.hcl import is_code, read_code
from mantle_iam.collect.kinds import Taken, Where, take, templates_of
from mantle_iam.collect.openers import STDIN, Opener
from mantle_iam.collect.places import TextError, decode_text, not_json, read_json, repeated_keys
from mantle_iam.collect.terraform_json import is_terraform_json
from mantle_iam.collect.yaml_text import read_all_yaml
from mantle_iam.iam.inventory import Account, Input, InputStatus, NamedPolicy, Purpose

_MOST_FAILURES = 20


@dataclass(frozen=True, slots=True)
class Gathered:
    """What was read, and what became of every input."""

    accounts: tuple[Account, ...] = ()
    policies: tuple[NamedPolicy, ...] = ()
    """Documents that bind no principal of ``accounts`` by themselves; those of an organization are here and with its accounts."""
    inputs: tuple[Input, ...] = ()


@dataclass(slots=True)
class _Dump:
    """Files (or one account of an iam-collect folder) to be read later, one after another."""

    paths: tuple[str, ...]
    collection: Collection | None = None
    account: str = ""


def read_inputs(
    paths: Sequence[str],
    *,
    kinds: Mapping[str, Purpose] | None = None,
    parameters: Mapping[str, str] | None = None,
    managed: Managed | None = None,
    stdin: bytes = b"",
) -> Gathered:
    """Everything in ``paths``.

    Args:
        paths: files, folders, ``-`` for standard input; gzip or not.
        kinds: what the documents of a path (as in ``paths``) are for, where its content does not say.
        parameters: values of template parameters, pseudo parameters (``AWS::AccountId``) and Terraform variables.
        managed: documents of AWS's managed policies by ARN, for inputs that only name them.
        stdin: what was read from standard input.
    """
    chunks = list(stream_inputs(paths, kinds=kinds, parameters=parameters, managed=managed, stdin=stdin))
    return Gathered(
        tuple(account for chunk in chunks for account in chunk.accounts),
        tuple(policy for chunk in chunks for policy in chunk.policies),
        tuple(given for chunk in chunks for given in chunk.inputs),
    )


def stream_inputs(
    paths: Sequence[str],
    *,
    kinds: Mapping[str, Purpose] | None = None,
    parameters: Mapping[str, str] | None = None,
    managed: Managed | None = None,
    stdin: bytes = b"",
) -> Iterator[Gathered]:
    """As ``read_inputs``, in pieces: first what is not a dump, then every dump by itself; organizations apply to all."""
    yield from _Session(kinds or {}, parameters or {}, managed or {}, stdin).stream(paths)


class _Session:
    def __init__(
        self, kinds: Mapping[str, Purpose], parameters: Mapping[str, str], managed: Managed, stdin: bytes
    ) -> None:
        self.opener = Opener(stdin)
        self.documents = Documents()
        self.managed = managed
        self.taken = Taken(self.documents, managed, parameters, kinds)
        self.inputs: list[Input] = []
        self.dumps: list[_Dump] = []

    def stream(self, paths: Sequence[str]) -> Iterator[Gathered]:
        for given in paths:
            empty = True
            for unit in units(given):
                self._unit(unit)
                empty = False
            if empty:
                self.inputs.append(Input(given, InputStatus.FAILED, "", ("an empty folder",)))
        if self.taken.levels:
            notes = Notes()
            self.taken.organization.take_tree(self.taken.levels, notes)
            self._close("organization policies", "policy-tree", notes)
        in_tree = {id(policy) for policies in self.taken.levels.values() for policy in policies}
        organization = self.taken.organization.organization
        loose = (policy for policy in organization.loose() if id(policy) not in in_tree)
        yield Gathered(
            tuple(self._bound(account, path) for account, path in self.taken.accounts),
            (*self.taken.policies, *loose, *self.taken.facts.unclaimed()),
            tuple(self.inputs),
        )
        while self.dumps:
            yield from self._dump(self.dumps.pop(0))

    def _bound(self, account: Account, path: str) -> Account:
        return self.taken.facts.applied(self.taken.organization.organization.applied(account), path)

    def _close(self, path: str, kind: str, notes: Notes, failed: str = "") -> None:
        self.inputs.append(_input(path, kind, notes, failed))

    def _unit(self, unit: Unit) -> None:
        notes = Notes()
        if unit.passed_over:
            for name in unit.passed_over:
                notes.add("files of other kinds were passed over", name, partial=False)
            self._close(unit.path, "folder", notes)
        elif unit.kind is UnitKind.FILE:
            self._file(unit, notes)
        else:
            self._together(unit, notes)

    def _together(self, unit: Unit, notes: Notes) -> None:
        """Files that are one input."""
        try:
            if unit.kind is UnitKind.MODULE:
                self._module(unit, notes)
            elif unit.kind is UnitKind.ASSEMBLY:
                self._assembly(unit.path, unit.given, notes, 0)
            else:
                collection = Collection(unit.path, self.opener, self.documents)
                collection.take_organizations(self.taken.organization, notes)
                self.dumps.extend(_Dump((unit.path,), collection, account) for account in collection.accounts())
        except (TextError, OSError) as error:
            self._close(unit.path, unit.kind.value, notes, getattr(error, "message", "cannot be read"))
        else:
            self._close(unit.path, unit.kind.value, notes)

    def _module(self, unit: Unit, notes: Notes) -> None:
        texts = []
        for path in unit.files:
            try:
                texts.append((path, decode_text(self.opener.read(path)).text))
            except TextError as error:
                if len(unit.files) == 1:
                    raise
                notes.add(error.message, path)
        root = Path(unit.files[0]).parent

        def read_file(name: str) -> str | None:
            """A file of the module; one outside of its folder is none of its business."""
            try:
                path = (root / name).resolve()
                if not path.is_relative_to(root.resolve()):
                    return None
                return decode_text(self.opener.read(str(path), LONGEST_DOCUMENT)).text
            except (TextError, OSError, ValueError, RuntimeError):
                return None

        declared = read_code(texts, self.taken.parameters, read_file, notes)
        self.taken.declared(declared, unit.path, notes)

    def _assembly(self, folder: str, given: str, notes: Notes, depth: int) -> None:
        manifest = read_json(decode_text(self.opener.read(str(Path(folder, "manifest.json")))).text)
        for file, pseudo in templates_of(manifest, notes):
            path = Path(folder, file)
            if path.name == "manifest.json":
                if depth < 5 and ".." not in path.parts:
                    self._assembly(str(path.parent), given, notes, depth + 1)
                continue
            try:
                value = read_json(decode_text(self.opener.read(str(path))).text)
                take(value, Where(str(path), given, pseudo=pseudo), self.taken, notes)
            except TextError as error:
                notes.add(error.message, file)

    def _file(self, unit: Unit, notes: Notes) -> None:
        head = self.opener.head(unit.path)
        if any(f'"{name}"' in head for name in DETAILS):
            self._later(unit.path)
            return
        kind = ""
        try:
            self._not_too_long(unit.path, head)
            kind = self._values(unit, notes)
        except TextError as error:
            self._close(unit.path, kind, notes, error.message)
        except RecursionError:
            self._close(unit.path, kind, notes, "nested too deeply")
        else:
            if self.taken.pages:
                # A dump after all, which begins with something else: read again when its turn comes.
                self.taken.pages.clear()
                self._later(unit.path)
            else:
                self._close(unit.path, kind, notes)

    def _not_too_long(self, path: str, head: str) -> None:
        if self.opener.size(path) > LONGEST_DOCUMENT and _looks_like_policy(head):
            raise TextError(f"a policy document of more than {LONGEST_DOCUMENT:,} bytes, which AWS would not store")

    def _later(self, path: str) -> None:
        """A dump; the pages of one that is apart follow each other in one folder."""
        last = self.dumps[-1] if self.dumps else None
        if (
            last is not None
            and last.collection is None
            and STDIN not in (path, last.paths[-1])
            and Path(path).parent == Path(last.paths[-1]).parent
            and self._goes_on(last.paths[-1])
        ):
            last.paths = (*last.paths, path)
        else:
            self.dumps.append(_Dump((path,)))

    def _goes_on(self, path: str) -> bool:
        """Whether the last page in a file says that there is another."""
        head = self.opener.head(path)
        found = '"IsTruncated": true' in head or '"IsTruncated":true' in head
        if found or path == STDIN:
            return found
        try:
            with Path(path).open("rb") as file:
                packed = file.read(2) == b"\x1f\x8b"
                file.seek(0 if packed else max(0, self.opener.size(path) - 4096))
                tail = self.opener.read(path)[-4096:] if packed else file.read(4096)
        except (OSError, TextError, ValueError):
            return False
        return b'"IsTruncated":true' in tail.replace(b" ", b"")

    def _values(self, unit: Unit, notes: Notes) -> str:
        """Every value of a file, each taken by what it is."""
        decoded = decode_text(self.opener.read(unit.path))
        if decoded.problem:
            notes.add(decoded.problem, partial=False)
        if is_code(decoded.text):
            return self._code(unit, decoded.text, notes)
        values = list(_parsed(decoded.text, notes))
        if len(values) == 1 and is_terraform_json(values[0][0]):
            return self._code(unit, decoded.text, notes)
        kinds: dict[str, None] = {}
        failed: TextError | None = None
        for value, pointer in values:
            for pair in repeated_keys(value):
                notes.add("a key occurs more than once; the last one counts", pair, partial=False)
            try:
                kinds[take(value, Where(unit.path, unit.given, pointer), self.taken, notes)] = None
            except TextError as error:
                failed = error
                if len(values) > 1:
                    notes.add(error.message, pointer)
        if failed is not None and not kinds:
            raise failed
        return ", ".join(kinds)

    def _code(self, unit: Unit, text: str, notes: Notes) -> str:
        """Terraform code under another name, or from standard input: a module of one file."""
        declared = read_code([(unit.path, text)], self.taken.parameters, lambda _: None, notes)
        self.taken.declared(declared, unit.path, notes)
        return UnitKind.MODULE.value

    def _dump(self, dump: _Dump) -> Iterator[Gathered]:
        notes = Notes()
        path = dump.paths[0]
        try:
            if dump.collection is not None:
                dumped = dump.collection.read(dump.account, self.managed, notes)
                path = str(Path(path, "accounts", dump.account))
                yield self._chunk(dumped, path, (_input(path, "iam-collect", notes),))
                return
            yield from self._pages(dump.paths, notes)
        except TextError as error:
            yield Gathered(inputs=(_input(path, "authorization-details", notes, error.message),))
        except RecursionError:
            yield Gathered(inputs=(_input(path, "authorization-details", notes, "nested too deeply"),))

    def _chunk(self, dumped: Dumped, path: str, inputs: tuple[Input, ...]) -> Gathered:
        accounts = tuple(self._bound(account, path) for account in dumped.accounts)
        return Gathered(accounts, dumped.policies, inputs)

    def _pages(self, paths: tuple[str, ...], notes: Notes) -> Iterator[Gathered]:
        """The dumps of files that follow each other: whole ones one by one, pages together."""
        open_pages: list[Page] = []
        for number, path in enumerate(paths):
            try:
                decoded = decode_text(self.opener.read(path))
                if decoded.problem:
                    notes.add(decoded.problem, partial=False)
                for value, pointer in _parsed(decoded.text, notes):
                    if not is_dump(value):
                        notes.add("a value that is no dump was passed over", f"{path}{pointer}")
                        continue
                    open_pages.append(Page(value, path, pointer))
                    whole = not is_truncated(value)
                    # Let go of before it is yielded, so that the next dump finds the memory of this one.
                    del value
                    if whole:
                        chunk = self._chunk(read_pages(open_pages, self.documents, self.managed, notes), path, ())
                        open_pages.clear()
                        yield chunk
                        del chunk
            except TextError as error:
                if number == 0 and len(paths) == 1:
                    raise
                notes.add(error.message, path)
        if open_pages:
            yield self._chunk(read_pages(open_pages, self.documents, self.managed, notes), paths[-1], ())
        yield Gathered(inputs=tuple(_input(path, "authorization-details", notes) for path in paths))


def _input(path: str, kind: str, notes: Notes, failed: str = "") -> Input:
    if failed:
        return Input(shown(path), InputStatus.FAILED, kind, (shown(failed), *notes.sentences()))
    status = InputStatus.PARTIAL if notes.partial else InputStatus.READ
    return Input(shown(path), status, kind, notes.sentences(), notes.documents_read)


def _looks_like_policy(head: str) -> bool:
    others = ("format_version", "planned_values", "Resources", "AWSTemplateFormatVersion", "artifacts", "Policies")
    return '"Statement"' in head and not any(f'"{name}"' in head for name in others)


def _parsed(text: str, notes: Notes) -> Iterator[tuple[Any, str]]:
    """The values of a text with their pointers: JSON, JSON values one after another, or YAML."""
    start = text.lstrip()[:1]
    if start not in ("{", "["):
        if not start:
            yield read_json(text), ""
            return
        found = read_all_yaml(text)
        several = found if len(found) > 1 else found[0] if isinstance(found[0], list) else None
        yield from [(found[0], "")] if several is None else ((item, f"/{at}") for at, item in enumerate(several))
        return
    first = text.find("\n")
    if first > 0 and text[first:].lstrip()[:1] in ("{", "[") and text[:first].rstrip().endswith(("}", "]")):
        lines = _lines(text, notes)
        if lines is not None:
            yield from lines
            return
    try:
        value = read_json(text)
    except TextError as error:
        values = _several(text, notes)
        if not values:
            raise error from None
        yield from values
        return
    if isinstance(value, list):
        yield from ((item, f"/{index}") for index, item in enumerate(value))
    else:
        once = [(value, "")]
        del value
        yield once.pop()


def _lines(text: str, notes: Notes) -> Iterator[tuple[Any, str]] | None:
    """The values of JSON lines, one at a time; ``None`` where the first line is no value by itself."""
    try:
        read_json(text[: text.find("\n")])
    except (TextError, RecursionError):
        return None

    def values() -> Iterator[tuple[Any, str]]:
        at = number = line = 0
        while at < len(text):
            end = text.find("\n", at)
            end = len(text) if end < 0 else end
            line += 1
            if text[at:end].strip():
                try:
                    yield read_json(text[at:end]), f"/{number}"
                    number += 1
                except TextError as error:
                    notes.add(f"line {line}: {error.message}")
            at = end + 1

    return values()


def _several(text: str, notes: Notes) -> list[tuple[Any, str]]:
    """JSON values one after another; what is between them and cannot be read is noted.  Empty where the first cannot be read."""
    found: list[tuple[Any, str]] = []
    decoder = JSONDecoder()
    at, failures = _after_space(text, 0), 0
    while at < len(text):
        try:
            _, end = decoder.raw_decode(text, at)
            found.append((read_json(text[at:end]), f"/{len(found)}"))
        except JSONDecodeError as error:
            failures += 1
            if not found and "\n" not in text[at:].strip():
                return []
            notes.add(not_json(text, error).message)
            end = text.find("\n", at) + 1 or len(text)
            if failures >= _MOST_FAILURES:
                notes.add("there are more such places; the rest was not read")
                break
        except (RecursionError, ValueError):
            notes.add("nested too deeply")
            break
        at = _after_space(text, end)
    return found


def _after_space(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at
