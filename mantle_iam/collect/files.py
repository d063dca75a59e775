"""Inputs from files, of every kind and together: dumps, organizations, Terraform, CloudFormation, CDK, documents.

``read_inputs`` gives all at once, ``stream_inputs`` an account at a time, so that an organization need not fit into memory.  What
cannot be read is an ``Input`` that failed, and the rest goes on; nothing that is in a file is raised.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final

from mantle_iam.collect.collected import Collection
from mantle_iam.collect.documents import LONGEST_DOCUMENT, Documents
from mantle_iam.collect.dump_reader import Binding, Dump, DumpReader, Gathered, input_of
from mantle_iam.collect.dumps import DETAILS, Managed, goes_on
from mantle_iam.collect.fields import Notes, shown
from mantle_iam.collect.folders import Unit, UnitKind, units
from mantle_iam.collect.hcl import is_code, read_code
from mantle_iam.collect.kinds import CALLED, Taken, Where, take, templates_of
from mantle_iam.collect.openers import LARGEST, STDIN, Opener
from mantle_iam.collect.places import TextError, decode_text, read_json, repeated_keys
from mantle_iam.collect.terraform_json import is_terraform_json
from mantle_iam.collect.values import values_of
from mantle_iam.iam.inventory import Input, InputStatus, Purpose

_ARN: Final = re.compile(r'"Arn": ?"arn:[a-z-]{3,20}:iam::([0-9]{12}):')


_BLOCK: Final = 1 << 20
_DEEPEST_ASSEMBLY = 5
_LAYERS: Final = {Purpose.SCP: "service control policy", Purpose.RCP: "resource control policy"}


@dataclass(frozen=True, slots=True)
class Survey:
    """What was read of all inputs together, and the dumps that are left to be read one by one."""

    first: Gathered
    dumps: tuple[Dump, ...]
    binding: Binding
    opener: Opener
    """Has what can be read only once."""


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
    survey = survey_inputs(paths, kinds=kinds, parameters=parameters, managed=managed, stdin=stdin)
    reader = DumpReader(survey.binding, managed or {})
    yield survey.first
    for dump in survey.dumps:
        yield from reader.read(dump, survey.opener)


def survey_inputs(
    paths: Sequence[str],
    *,
    kinds: Mapping[str, Purpose] | None = None,
    parameters: Mapping[str, str] | None = None,
    managed: Managed | None = None,
    stdin: bytes = b"",
    held: Mapping[str, bytes] | None = None,
    regions: Sequence[str] = (),
    layered: bool = False,
) -> Survey:
    """As ``read_inputs``, but for the dumps, which are left to be read by a ``DumpReader``.

    ``held``: bytes of ``paths`` that are no files here; ``regions``: those that are asked about;
    ``layered``: a path of ``kinds`` that holds no SCP, or RCP, though it is to, has failed.
    """
    session = _Session(kinds or {}, parameters or {}, managed or {}, Opener(stdin, held=held))
    session.taken.regions = regions
    return session.survey(paths, layered=layered)


class _Session:
    def __init__(
        self, kinds: Mapping[str, Purpose], parameters: Mapping[str, str], managed: Managed, opener: Opener
    ) -> None:
        self.opener = opener
        self.documents = Documents()
        self.taken = Taken(self.documents, managed, parameters, kinds)
        self.inputs: list[Input] = []
        self.dumps: list[Dump] = []
        self.account = ""
        """Of the last dump, as far as its beginning tells."""

    def survey(self, paths: Sequence[str], *, layered: bool) -> Survey:
        self._units([(given, tuple(units(given))) for given in paths])
        for given, purpose in self.taken.kinds.items() if layered else ():
            if purpose in _LAYERS and not self._holds(given, purpose):
                self.inputs.append(Input(shown(given), InputStatus.FAILED, "", (f"holds no {_LAYERS[purpose]}",)))
        self.taken.organization.organization.unread |= set(self._unread())
        if self.taken.levels:
            notes = Notes()
            self.taken.organization.take_tree(self.taken.levels, notes)
            self._close("organization policies", "policy-tree", notes)
        in_tree = {id(policy) for policies in self.taken.levels.values() for policy in policies}
        organization = self.taken.organization.organization
        loose = (policy for policy in organization.loose() if id(policy) not in in_tree)
        binding = Binding(organization, self.taken.facts)
        first = Gathered(
            tuple(binding.bound(account, path) for account, path in self.taken.accounts),
            (*self.taken.policies, *loose, *self.taken.facts.unclaimed()),
            tuple(self.inputs),
        )
        return Survey(first, tuple(self.dumps), binding, self.opener)

    def _below(self, given: str) -> Iterator[Input]:
        """What became of a path, or of what is in that folder."""
        for one in self.inputs:
            if one.path == shown(given) or Path(one.path).is_relative_to(shown(given)):
                yield one

    def _holds(self, given: str, purpose: Purpose) -> bool:
        """Whether something of the kind, or a list in which there might be, was there; or something that failed."""
        places = (each.place.path for many in self.taken.levels.values() for each in many if each.purpose is purpose)
        return any(path == given or Path(path).is_relative_to(given) for path in places) or any(
            one.status is InputStatus.FAILED or not one.kind or "organization" in one.kind or one.kind == "iam-collect"
            for one in self._below(given)
        )

    def _unread(self) -> Iterator[Purpose]:
        """Kinds of which a document that was named as theirs could not be read, or was taken for something else."""
        taken = {shown(each.place.path) for many in self.taken.levels.values() for each in many}
        for given, purpose in self.taken.kinds.items():
            if any(
                one.status is InputStatus.FAILED
                or (one.kind == "policy" and (one.status is InputStatus.PARTIAL or one.path not in taken))
                for one in self._below(given)
            ):
                yield purpose

    def _units(self, found: list[tuple[str, tuple[Unit, ...]]]) -> None:
        """Reads them, code before the plans that it completes, wherever it is named; inputs are told in the order given."""
        places: list[int] = []
        todo = enumerate(unit for _, many in found for unit in many)
        for number, unit in sorted(todo, key=lambda each: each[1].kind is not UnitKind.MODULE):
            self._unit(unit)
            places.extend([number] * (len(self.inputs) - len(places)))
        told = [one for _, one in sorted(zip(places, self.inputs, strict=True), key=lambda each: each[0])]
        empty = [Input(given, InputStatus.FAILED, "", ("an empty folder",)) for given, many in found if not many]
        self.inputs = [*map(self._with_its_caller, told), *empty]

    def _with_its_caller(self, one: Input) -> Input:
        """Code that by itself was known in part only, and was then read with the values that its caller gives."""
        if one.status is InputStatus.PARTIAL and self.taken.called(one.path):
            return Input(one.path, InputStatus.READ, one.kind, (CALLED,))
        return one

    def _close(self, path: str, kind: str, notes: Notes, failed: str = "") -> None:
        self.inputs.append(input_of(path, kind, notes, failed))

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
                self.dumps.extend(Dump((unit.path,), account) for account in collection.accounts())
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
            try:
                if path.name == "manifest.json":
                    if depth >= _DEEPEST_ASSEMBLY or ".." in path.parts:
                        notes.add("an assembly that is nested too deeply, or not in this one", file)
                    else:
                        self._assembly(str(path.parent), given, notes, depth + 1)
                    continue
                value = read_json(decode_text(self.opener.read(str(path))).text)
                take(value, Where(str(path), given, pseudo=pseudo), self.taken, notes)
            except TextError as error:
                notes.add(error.message, file)

    def _file(self, unit: Unit, notes: Notes) -> None:
        head = self.opener.head(unit.path)
        if any(f'"{name}"' in head for name in DETAILS):
            self._later(unit.path, head)
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
                self._later(unit.path, head)
            else:
                self._close(unit.path, kind, notes)

    def _not_too_long(self, path: str, head: str) -> None:
        if self.opener.size(path) > LONGEST_DOCUMENT and _looks_like_policy(head):
            raise TextError(f"a policy document of more than {LONGEST_DOCUMENT:,} bytes, which AWS would not store")

    def _later(self, path: str, head: str) -> None:
        """A dump; the pages of one that is apart follow each other in one folder, and are of one account."""
        last = self.dumps[-1] if self.dumps else None
        account, self.account = self.account, _account_in(head)
        if (
            last is not None
            and not last.account
            and not (account and self.account and account != self.account)
            and STDIN not in (path, last.paths[-1])
            and Path(path).parent == Path(last.paths[-1]).parent
            and self._goes_on(last.paths[-1])
        ):
            last.paths = (*last.paths, path)
        else:
            self.dumps.append(Dump((path,)))

    def _goes_on(self, path: str) -> bool:
        """Whether the last page in a file says that there is another."""
        try:
            with self.opener.stream(path) as file:
                return goes_on(islice(iter(partial(file.read, _BLOCK), b""), LARGEST // _BLOCK))
        except (OSError, EOFError, zlib.error, ValueError):
            return False

    def _values(self, unit: Unit, notes: Notes) -> str:
        """Every value of a file, each taken by what it is."""
        decoded = decode_text(self.opener.read(unit.path))
        if decoded.problem:
            notes.add(decoded.problem, partial=False)
        if is_code(decoded.text):
            return self._code(unit, decoded.text, notes)
        values = list(values_of(decoded.text, notes))
        if len(values) == 1 and is_terraform_json(values[0][0]):
            return self._code(unit, decoded.text, notes)
        kinds: dict[str, None] = {}
        failed: TextError | None = None
        for value, pointer in values:
            try:
                kinds[take(value, Where(unit.path, unit.given, pointer), self.taken, notes)] = None
                for pair in repeated_keys(value):
                    notes.add("a key occurs more than once; the last one counts", pair, partial=False)
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


def _account_in(head: str) -> str:
    """The account of the first ARN of a dump."""
    found = _ARN.search(head)
    return found[1] if found else ""


def _looks_like_policy(head: str) -> bool:
    others = ("format_version", "planned_values", "Resources", "AWSTemplateFormatVersion", "artifacts", "Policies")
    return '"Statement"' in head and not any(f'"{name}"' in head for name in others)
