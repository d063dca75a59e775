"""Dumps by themselves: each read with what binds it, here or in another process, from files or from bytes that were sent.

A ``Dump`` says what is to be read and a ``Binding`` what was read before and applies to every dump; both can be pickled.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from mantle_iam.collect.account_facts import Facts
from mantle_iam.collect.collected import Collection
from mantle_iam.collect.documents import Documents
from mantle_iam.collect.dumps import Dumped, Managed, Page, is_dump, is_truncated, read_pages
from mantle_iam.collect.fields import Notes, shown
from mantle_iam.collect.openers import Opener
from mantle_iam.collect.organization_files import Organization
from mantle_iam.collect.places import TextError, decode_text, read_json
from mantle_iam.collect.values import values_of
from mantle_iam.iam.inventory import Account, Input, InputStatus, NamedPolicy

_KIND = "authorization-details"


@dataclass(frozen=True, slots=True)
class Gathered:
    """What was read, and what became of every input."""

    accounts: tuple[Account, ...] = ()
    policies: tuple[NamedPolicy, ...] = ()
    """Documents that bind no principal of ``accounts`` by themselves; those of an organization are here and with its accounts."""
    inputs: tuple[Input, ...] = ()


@dataclass(slots=True)
class Dump:
    """Files, or one account of an iam-collect folder, that are read together and apart from all others."""

    paths: tuple[str, ...]
    """Files whose pages follow each other; the folder of an account of iam-collect."""
    account: str = ""
    """Of an account of iam-collect its id; its folder is ``paths[0]``."""
    part: int = 0
    """Which part of a file of many dumps; from 0."""
    skip: int = 0
    """Values at the beginning that are of other parts."""

    @property
    def path(self) -> str:
        """What it is called."""
        return str(Path(self.paths[0], "accounts", self.account)) if self.account else self.paths[0]


@dataclass(frozen=True, slots=True)
class Binding:
    """What was read of all inputs together and applies to every account: organization, keys, endpoints."""

    organization: Organization = field(default_factory=Organization)
    facts: Facts = field(default_factory=lambda: Facts(Documents()))

    def bound(self, account: Account, path: str) -> Account:
        """``account``, read from ``path``, with what binds it."""
        if account.id not in self.facts.standalone:
            account = self.organization.applied(account)
        return self.facts.applied(account, path)


@dataclass(frozen=True, slots=True)
class DumpReader:
    """Reads dumps; remembers documents from one to the next."""

    binding: Binding
    managed: Managed
    documents: Documents = field(default_factory=Documents)

    def read(self, dump: Dump, opener: Opener) -> Iterator[Gathered]:
        """Its accounts, a few at a time, and last what became of its files.  Never raises for what is in them."""
        notes = Notes()
        try:
            if dump.account:
                collection = Collection(dump.paths[0], opener, self.documents)
                dumped = collection.read(dump.account, self.managed, notes)
                yield self._chunk(dumped, dump.path, (input_of(dump.path, "iam-collect", notes),))
                return
            yield from self._pages(dump.paths, opener, notes, dump.skip)
        except TextError as error:
            yield Gathered(inputs=(input_of(dump.path, _KIND, notes, error.message),))
        except RecursionError:
            yield Gathered(inputs=(input_of(dump.path, _KIND, notes, "nested too deeply"),))

    def _chunk(self, dumped: Dumped, path: str, inputs: tuple[Input, ...] = ()) -> Gathered:
        accounts = tuple(self.binding.bound(account, path) for account in dumped.accounts)
        return Gathered(accounts, dumped.policies, inputs)

    def _pages(self, paths: tuple[str, ...], opener: Opener, notes: Notes, skip: int) -> Iterator[Gathered]:
        """The dumps of files that follow each other: whole ones one by one, pages together."""
        open_pages: list[Page] = []
        for number, path in enumerate(paths):
            try:
                decoded = decode_text(opener.read(path))
                if decoded.problem:
                    notes.add(decoded.problem, partial=False)
                for value, pointer in islice(values_of(decoded.text, notes, _page), skip, None):
                    if not is_dump(value):
                        notes.add("a value that is no dump was passed over", f"{path}{pointer}")
                        continue
                    open_pages.append(Page(value, path, pointer))
                    whole = not is_truncated(value)
                    # Let go of before it is yielded, so that the next dump finds the memory of this one.
                    del value
                    if whole:
                        chunk = self._chunk(read_pages(open_pages, self.documents, self.managed, notes), path)
                        open_pages.clear()
                        yield chunk
                        del chunk
            except TextError as error:
                if number == 0 and len(paths) == 1:
                    raise
                notes.add(error.message, path)
        if open_pages:
            yield self._chunk(read_pages(open_pages, self.documents, self.managed, notes), paths[-1])
        yield Gathered(inputs=tuple(input_of(path, _KIND, notes) for path in paths))


def _page(text: str) -> Any:
    """A JSON value; a page of a dump quickly if it is of the ordinary form."""
    from mantle_iam.collect.ordinary import page_of

    page = page_of(text)
    return read_json(text) if page is None else page


def input_of(path: str, kind: str, notes: Notes, failed: str = "") -> Input:
    """What became of an input, by what was noted while it was read; ``failed`` says why it could not be read."""
    if failed:
        return Input(shown(path), InputStatus.FAILED, kind, (shown(failed), *notes.sentences()))
    status = InputStatus.PARTIAL if notes.partial else InputStatus.READ
    return Input(shown(path), status, kind, notes.sentences(), notes.documents_read)
