"""What binds accounts from above, read live through Organizations: the way to the root, and what is attached at every level.

Answers are kept as they came, for the reader of files; a level or a document that several accounts share is read once.  A member
account may seldom ask, so that several credentials are tried.  The management account needs nothing but to be known as such.
Source: https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps_evaluation.html
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from mantle_iam.collect.connections import Connection
from mantle_iam.collect.failure import Failure, Unreadable, reading
from mantle_iam.collect.fields import objects, text
from mantle_iam.collect.organization import NO_ORGANIZATION
from mantle_iam.collect.saved import ORGANIZATION, Layer, Unread

KINDS: Final = {Layer.SCP: "SERVICE_CONTROL_POLICY", Layer.RCP: "RESOURCE_CONTROL_POLICY"}
_DEEPEST: Final = 10
Answer = dict[str, Any]


@dataclass(slots=True)
class OrganizationAnswers:
    """What is known of organizations so far; ``take`` asks for what an account needs besides."""

    _kept: dict[tuple[str, ...], Answer] = field(default_factory=dict)
    """Answers of a run by file name parts; only those that came."""

    def take(self, account: str, connections: Sequence[Connection]) -> tuple[dict[str, Answer], tuple[Unread, ...]]:
        """The answers about ``account``, by file name, and what could not be read.  Never raises for what the world does.

        Args:
            connections: those that are asked until one may read everything; the first is the account's own.
        """
        best: _Walk | None = None
        for number, connection in enumerate(connections):
            walk = _Walk(self, account, connection.client("organizations"), own=number == 0)
            walk.run()
            # Of those that could not read everything, the one that came farthest says what is missing.
            if best is None or not walk.unread or len(walk.files) > len(best.files):
                best = walk
            if not walk.unread:
                break
        if best is None:
            return {}, ()
        return {"/".join((ORGANIZATION, *name)): value for name, value in best.files.items()}, tuple(best.unread)

    def find(self, *name: str) -> Answer | None:
        """An answer that came before."""
        return self._kept.get(name)

    def keep(self, value: Answer, *name: str) -> None:
        """Note an answer."""
        self._kept[name] = value


class _Stop(Exception):  # noqa: N818 - no error: the walk is over
    """Nothing more can be asked."""


class _Walk:
    """One account, with one set of credentials."""

    def __init__(self, answers: OrganizationAnswers, account: str, client: Any, *, own: bool) -> None:
        self.answers = answers
        self.account = account
        self.client = client
        self.own = own
        self.files: dict[tuple[str, ...], Answer] = {}
        self.unread: list[Unread] = []

    def run(self) -> None:
        """Ask for everything, as far as there are answers."""
        with suppress(_Stop):
            self._run()

    def _run(self) -> None:
        about = self._ask(("organization.json",), tuple(KINDS), "DescribeOrganization", "describe_organization")
        if about["Organization"].get("MasterAccountId") == self.account:
            return
        roots = self._ask(("roots.json",), tuple(KINDS), "ListRoots", "list_roots", "Roots")
        enabled = {
            text(kind, "Type")
            for _, root in objects(roots, "Roots")
            for _, kind in objects(root, "PolicyTypes")
            if text(kind, "Status") == "ENABLED"
        }
        wanted = [layer for layer, kind in KINDS.items() if kind in enabled]
        if not wanted:
            return
        targets = self._path(tuple(wanted))
        for layer in wanted:
            with suppress(_Stop):
                self._attached(layer, targets)

    def _path(self, layers: tuple[Layer, ...]) -> list[str]:
        path = [self.account]
        while not path[-1].startswith("r-") and len(path) < _DEEPEST:
            name = (path[-1], "parents.json")
            found = self._ask(name, layers, "ListParents", "list_parents", "Parents", ChildId=path[-1])
            parents = [text(parent, "Id") for _, parent in objects(found, "Parents")]
            if not parents or not parents[0]:
                self._missing(layers, "ListParents", Unreadable(Failure.OTHER, f"`{path[-1]}` has no parent"))
                raise _Stop
            path.append(parents[0])
        return path

    def _attached(self, layer: Layer, targets: list[str]) -> None:
        kind = KINDS[layer]
        for target in targets:
            name = (target, f"{layer.value}.json")
            asked = {"TargetId": target, "Filter": kind}
            found = self._ask(
                name, (layer,), "ListPoliciesForTarget", "list_policies_for_target", "Policies", asked, **asked
            )
            for _, policy in objects(found, "Policies"):
                id_ = text(policy, "Id")
                self._ask(("policies", f"{id_}.json"), (layer,), "DescribePolicy", "describe_policy", PolicyId=id_)

    def _ask(
        self,
        name: tuple[str, ...],
        layers: tuple[Layer, ...],
        action: str,
        operation: str,
        pages: str = "",
        also: Answer | None = None,
        **arguments: str,
    ) -> Answer:
        """An answer, of this run where it came before; all pages of it as one.  Raises ``_Stop`` where there is none."""
        found = self.answers.find(*name)
        if found is None:
            answer = reading(self._call, operation, pages, arguments)
            if isinstance(answer, Unreadable):
                # That somebody else's account is in no organization says nothing about this one.
                if answer.code != NO_ORGANIZATION or not self.own:
                    self._missing(layers, action, answer)
                raise _Stop
            found = {**(also or {}), **answer}
            self.answers.keep(found, *name)
        self.files[name] = found
        return found

    def _call(self, operation: str, pages: str, arguments: dict[str, str]) -> Answer:
        if not pages:
            answer: Answer = getattr(self.client, operation)(**arguments)
            return {name: value for name, value in answer.items() if name != "ResponseMetadata"}
        found = self.client.get_paginator(operation).paginate(**arguments)
        return {pages: [item for page in found for item in page.get(pages, ())]}

    def _missing(self, layers: tuple[Layer, ...], action: str, failure: Unreadable) -> None:
        self.unread += [Unread(layer, f"organizations:{action}", failure.reason) for layer in layers]
