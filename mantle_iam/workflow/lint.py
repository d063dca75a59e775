"""Linting of inputs: what ``collect`` reads, judged by the rules of ``audit``, with lines and columns and without what is let be.

Composes; no argument line and no printing here.  A JSON text of policy documents is read here directly, everything else by
``collect``.  An input that cannot be read is said and does not stop the others.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from mantle_iam import bundled
from mantle_iam.audit.findings import Finding
from mantle_iam.audit.lint.document import GRAMMAR
from mantle_iam.audit.lint.engine import EVERYTHING, Linter, Settings
from mantle_iam.audit.lint.guess import guess_purpose
from mantle_iam.audit.lint.registry import BY_ID
from mantle_iam.audit.lint.suppressions import FILE_NAME, Suppression, read_comments, read_suppressions, suppress
from mantle_iam.collect.places import Decoded, Position, TextError, decode_text, locate
from mantle_iam.errors import InputError
from mantle_iam.iam.grammar import parse_policy
from mantle_iam.iam.inventory import Account, Input, InputStatus, NamedPolicy, Principal, Purpose
from mantle_iam.iam.policy import PolicyDocument
from mantle_iam.workflow.lint_documents import Broken, policies_in

STANDARD_INPUT: Final = "-"
LARGEST_DOCUMENT: Final = 16 * 1024 * 1024
"""Bytes; no text of policies that somebody wrote comes near it.  Larger files are read by ``collect`` alone."""
_OF_POLICIES: Final = (
    *("Statement", "PolicyDocument", "Policies", "DetailList", "2012-10-17"),
    *("AWS::", "aws_iam_", "__type", "format_version"),
)
"""What every kind of input has in some form; a text without any of it holds no policy, whole or broken."""
_COMMENTED: Final = (".tf", ".yaml", ".yml", ".template")
_EMPTY: Final = "no policy is in it"
_NOTHING: Final = "no policy was found, so that nothing was judged"
_STATEMENT: Final = "/Statement"


@dataclass(frozen=True, slots=True)
class Linted:
    """Everything that was found, and what became of the inputs."""

    findings: tuple[Finding, ...] = ()
    suppressed: tuple[tuple[Finding, Suppression], ...] = ()
    inputs: tuple[Input, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict)
    """Of files with findings, where there is text."""
    notes: tuple[str, ...] = ()
    """What was guessed, as sentences without a full stop."""
    documents: int = 0
    principals: int = 0

    @property
    def complete(self) -> bool:
        """Whether every input was read."""
        return all(one.status is InputStatus.READ for one in self.inputs)


@dataclass(slots=True)
class _Run:
    linter: Linter
    kind: Purpose | None
    standard_input: Callable[[], bytes]
    findings: list[Finding] = field(default_factory=list)
    inputs: list[Input] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    guesses: dict[tuple[Purpose, str], list[str]] = field(default_factory=dict)
    suppressions: list[Suppression] = field(default_factory=list)
    documents: int = 0
    principals: int = 0
    given: bytes = b""
    """Of standard input, which can be read once only."""
    commented: set[str] = field(default_factory=set)
    plain: set[str] = field(default_factory=set)
    """Files that were read here, by where they really are."""
    named: tuple[str, ...] = ()
    """Paths as they were given; others were met in folders."""
    ignore_unknown: bool = False
    """Whether a file that was named, and is none of what is read here, is passed over like one that was met in a folder."""

    @property
    def idle(self) -> bool:
        """Whether everything was read, and nothing in it was a policy."""
        return not (self.documents or self.principals) and all(one.status is InputStatus.READ for one in self.inputs)

    def read(self, paths: Iterable[str]) -> None:
        """Every input.  Those that are no plain documents go to ``collect`` together, since they may complete each other."""
        others = []
        by_file: dict[str, str] = {}
        for path in paths:
            by_file.setdefault(_same(path), path)
        self.named = () if self.ignore_unknown else tuple(by_file.values())
        for path in by_file.values():
            try:
                decoded = self._text(path)
                if decoded is None or not self._documents(decoded.text, path, decoded.problem):
                    others.append(path)
            except InputError as error:
                self._input(Input(path, InputStatus.FAILED, problems=(error.message,)))
        if others:
            self._collect(others)

    def _text(self, path: str) -> Decoded | None:
        """Its text where it may be a JSON text of policies."""
        if path == STANDARD_INPUT:
            data = self.given = self.standard_input()
        elif not os.path.isfile(path) or Path(path).stat().st_size > LARGEST_DOCUMENT:  # noqa: PTH113 - a hostile name raises there
            return None
        else:
            data = _bytes(path)
        # Compressed, HCL, YAML: not ours.
        return decode_text(data) if data.lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n\0")[:1] in (b"{", b"[") else None

    def _documents(self, text: str, path: str, oddity: str = "") -> bool:
        found = policies_in(text, path, self.kind)
        if found is None:
            return False
        self.plain.add(_same(path))
        self.texts[path] = text
        pairs: list[tuple[Finding, NamedPolicy | None]] = []
        kinds: dict[str, None] = {}
        problems: list[str] = []
        for policy, guess in found:
            self.documents += 1
            if isinstance(policy, Broken):
                # Where nobody asks for the finding, it must not be lost that the document was not looked at.
                if GRAMMAR.id in self.linter.settings.asked:
                    pairs.append((_broken(policy), None))
                else:
                    problems.append(policy.message)
                continue
            kinds[f"{policy.purpose.value}-policy"] = None
            if guess is not None:
                self.guesses.setdefault((guess.purpose, guess.reason), []).append(path)
            pairs += [(finding, policy) for finding in self.linter.policy(policy)]
        self.findings += placed(pairs, text)
        status = InputStatus.PARTIAL if problems else InputStatus.READ
        problems += [] if kinds or pairs or problems else [_EMPTY]
        problems += [oddity] if oddity else []
        self.inputs.append(Input(path, status, ", ".join(kinds), tuple(problems)))
        return True

    def _collect(self, paths: list[str]) -> None:
        """What ``collect`` reads, an account at a time."""
        from mantle_iam.collect.files import stream_inputs

        kinds = {} if self.kind is None else dict.fromkeys(paths, self.kind)
        for chunk in stream_inputs(paths, kinds=kinds, managed=shipped_managed(), stdin=self.given):
            # A file that was named may lie in a folder that was named, too.
            loose = (self._refined(each) for each in chunk.policies if _same(each.place.path) not in self.plain)
            owned = (policy for account in chunk.accounts for policy in policies_of(account))
            principals = [principal for account in chunk.accounts for principal in account.principals]
            self._chunk(dict.fromkeys((*loose, *owned)), principals)
            for one in chunk.inputs:
                if _same(one.path) not in self.plain:
                    self._input(one)

    def _chunk(self, policies: Iterable[NamedPolicy], principals: Iterable[Principal]) -> None:
        by_path: dict[str, list[tuple[Finding, NamedPolicy | None]]] = {}
        for policy in policies:
            self.documents += 1
            pairs = by_path.setdefault(policy.place.path, [])
            pairs += [(each, policy) for each in self.linter.policy(policy)]
        for principal in principals:
            self.principals += 1
            pairs = by_path.setdefault(principal.place.path, [])
            pairs += [(each, None) for each in self.linter.principal(principal)]
        for path, pairs in by_path.items():
            self.findings += placed(pairs, self._source(path) if pairs else "")
            self._comments(path)

    def _comments(self, path: str) -> None:
        if path in self.commented or not (path.endswith(_COMMENTED) or path == STANDARD_INPUT):
            return
        self.commented.add(path)
        if not _is_json(text := self._source(path)):
            self.suppressions += read_comments(text, path)

    def _input(self, one: Input) -> None:
        """A document that cannot be one is a finding here, and not a file that could not be read."""
        text = ""
        if one.status is InputStatus.FAILED and one.path not in (STANDARD_INPUT, ""):
            text = self._source(one.path)
        try:
            if _is_json(text) and self._documents(text, one.path):
                return
        except InputError:
            pass
        if text.strip() and one.path not in self.named and not any(mark in text for mark in _OF_POLICIES):
            # Met in a folder: a manifest, a chart, a workflow.  Of a file that somebody named it would be wrong usage.
            self.inputs.append(Input(one.path, InputStatus.READ, one.kind, (f"passed over: {_EMPTY}",)))
            return
        # Whom a document binds is nothing that its text answers for; the problems stay said.
        read = one.status is InputStatus.PARTIAL and one.documents_read
        self.inputs.append(replace(one, status=InputStatus.READ) if read else one)
        self._comments(one.path)

    def _refined(self, policy: NamedPolicy) -> NamedPolicy:
        """A document with principals in a file of its own: ``collect`` does not tell which kind of them it is."""
        if self.kind is not None or policy.purpose is not Purpose.RESOURCE:
            return policy
        guess = guess_purpose(policy.document, policy.place.path)
        if guess[0] is not Purpose.RESOURCE and not policy.place.address:
            self.guesses.setdefault(guess, []).append(policy.place.path)
        return replace(policy, purpose=guess[0])

    def _source(self, path: str) -> str:
        """The text of a file that ``collect`` read, for excerpts and lines; empty where there is none."""
        if path not in self.texts:
            try:
                if path == STANDARD_INPUT:
                    self.texts[path] = decode_text(self.given).text
                file = Path(path)
                if path and file.is_file() and file.stat().st_size <= LARGEST_DOCUMENT and not path.endswith(".gz"):
                    self.texts[path] = decode_text(_bytes(path)).text
            except (InputError, OSError, ValueError):
                return ""
        return self.texts.get(path, "")


def lint(
    paths: Iterable[str],
    settings: Settings = EVERYTHING,
    *,
    kind: Purpose | None = None,
    suppressions: Iterable[Suppression] = (),
    standard_input: Callable[[], bytes] = bytes,
    ignore_unknown: bool = False,
) -> Linted:
    """Read ``paths`` and ask the rules.

    ``kind`` is what a document is for that does not say it itself; ``ignore_unknown`` passes over files that hold no policy.
    """
    if not settings.asked:
        raise InputError("no rule is left to ask", help="take something out of --ignore, or name more with --select")
    run = _Run(Linter(settings), kind, standard_input, ignore_unknown=ignore_unknown)
    run.read(paths)
    read = [one.path for one in run.inputs] + [each.place.path for each in run.findings]
    result = suppress(
        run.findings, (*suppressions, *run.suppressions), settings.asked, frozenset(BY_ID), dict.fromkeys(read)
    )
    with_findings = {each.place.path for each in result.findings}
    return Linted(
        result.findings,
        result.suppressed,
        tuple(run.inputs),
        {path: text for path, text in run.texts.items() if path in with_findings},
        (*(_guessed(*each) for each in run.guesses.items()), *([_NOTHING] if run.idle else [])),
        run.documents,
        run.principals,
    )


def configured(path: str | None) -> tuple[Suppression, ...]:
    """The suppressions of the file ``path``, or of the usual one in the working directory where there is one.

    Raises:
        InputError: the file cannot be read or is not understood.
    """
    if path is None and not Path(FILE_NAME).is_file():
        return ()
    name = path or FILE_NAME
    return read_suppressions(decode_text(_bytes(name)).text, name)


def shipped_managed() -> dict[str, PolicyDocument]:
    """The documents of AWS's managed policies that come with this program, by ARN; dumps only name them."""
    found = {}
    for path in sorted((bundled.policies() / "managed").glob("*.json")):
        entry = json.loads(path.read_text("utf-8"))
        if entry["arn"].rpartition("/")[2] == path.stem:  # else an older version
            found[entry["arn"]] = parse_policy(entry["document"])
    return found


def policies_of(account: Account) -> Iterator[NamedPolicy]:
    """Every document of an account, once for each place where it is used."""
    for principal in account.principals:
        yield from principal.identity
        if principal.boundary is not None:
            yield principal.boundary
        if principal.trust is not None:
            yield principal.trust
    for levels in (account.scps, account.rcps):
        for level in levels or ():
            yield from level
    yield from account.endpoints


def _bytes(path: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            return file.read(LARGEST_DOCUMENT + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"cannot read `{path}`: {reason.lower()}") from None


def _same(path: str) -> str:
    """What two names of one file have in common."""
    return path if path == STANDARD_INPUT else os.path.realpath(path)


def _shown(path: str) -> str:
    return "standard input" if path == STANDARD_INPUT else path


def _guessed(guess: tuple[Purpose, str], paths: list[str]) -> str:
    purpose, reason = guess
    others = len(set(paths)) - 1
    which = _shown(paths[0]) + (f" and {others} more are" if others else " is")
    return f"{which} taken for kind {purpose.value}: {reason}; --kind says otherwise"


def _broken(broken: Broken) -> Finding:
    return Finding(
        GRAMMAR.id,
        GRAMMAR.severity,
        GRAMMAR.confidence,
        broken.message,
        broken.place,
        remedy=broken.help,
        reference=GRAMMAR.reference,
    )


def placed(pairs: list[tuple[Finding, NamedPolicy | None]], text: str) -> list[Finding]:
    """Findings of one file with lines and columns: by the marks of their document, else by their pointers into the JSON text."""
    looked_up: dict[int, str] = {}
    found: list[Finding] = []
    for finding, policy in pairs:
        mark = None if policy is None else _marked(finding, policy)
        if mark is not None:
            finding = replace(finding, place=replace(finding.place, line=mark[0], column=mark[1]))
        elif text and finding.place.line is None:
            looked_up[len(found)] = finding.place.pointer
        found.append(finding)
    if looked_up:
        wanted = {name for pointer in looked_up.values() for name in _spellings(pointer)}
        positions = _positions(text, wanted)
        for at, pointer in looked_up.items():
            listed, single, owner = _spellings(pointer)
            # `Statement` may be one object, and is always a list in our pointers.
            position = positions.get(single if positions.get(listed) == positions.get(owner) else listed)
            if position is None:
                continue
            place = found[at].place
            found[at] = replace(found[at], place=replace(place, line=position.line, column=position.column))
    return found


def _is_json(text: str) -> bool:
    return text.lstrip("\ufeff \t\r\n").startswith(("{", "["))


def _positions(text: str, pointers: Iterable[str]) -> dict[str, Position]:
    """Where elements stand in a JSON or YAML text; empty for another."""
    if _is_json(text):
        return locate(text, pointers)
    from mantle_iam.collect.yaml_text import locate_yaml

    try:
        return locate_yaml(text, pointers)
    except TextError:
        return {}


def _spellings(pointer: str) -> tuple[str, str, str]:
    """The pointer, the same for a single statement that is no list, and the element ``Statement`` itself."""
    before, mark, after = pointer.partition(f"{_STATEMENT}/0")
    if not mark or (after and not after.startswith("/")):
        return pointer, pointer, pointer
    return pointer, before + _STATEMENT + after, before + _STATEMENT


def _marked(finding: Finding, policy: NamedPolicy) -> tuple[int, int] | None:
    element = finding.place.pointer[len(policy.place.pointer) :]
    best: tuple[int, int, int] | None = None
    for spelling in _spellings(element)[:2]:
        for pointer, line, column in policy.marks:
            if (spelling == pointer or spelling.startswith(pointer + "/")) and (best is None or len(pointer) > best[0]):
                best = (len(pointer), line, column)
    return None if best is None else (best[1], best[2])
