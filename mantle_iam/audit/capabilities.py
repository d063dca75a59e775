"""What an audit asks about every principal: capabilities, the calls behind them, and the questions that these come down to.

A capability is a table row over ``mantle.operations``; what a call needs is said there.  The result is a ``Sheet``: numbered
questions, the permissions that are made of them, and the cells that are made of permissions.  Knows no principal and no policy.

Source: https://docs.aws.amazon.com/bedrock/latest/userguide/logging-cloudtrail-mantle.html; of key creation
https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateServiceSpecificCredential.html
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from mantle_iam.audit.statements import ACCOUNT, PARTITION
from mantle_iam.audit.verdict import Question
from mantle_iam.errors import InputError
from mantle_iam.iam.request import ContextValue
from mantle_iam.mantle import catalog, overlay
from mantle_iam.mantle.call_context import SETTLED, TOKEN_TYPES
from mantle_iam.mantle.endpoint import partition_of
from mantle_iam.mantle.operations import (
    AuthMethod,
    Permission,
    operation_named,
    permissions_for_action,
    required_permissions,
)
from mantle_iam.mantle.scope import Scope

ANY_KEY_USER: Final = f"arn:{PARTITION}:iam::{ACCOUNT}:user/BedrockAPIKey-*"
"""The users that the console makes for long-term keys; read as a resource it is covered by what covers all of them."""
CREATE_KEY: Final = "iam:CreateServiceSpecificCredential"
_KEY_SERVICE: Final = ("iam:ServiceSpecificCredentialServiceName", "bedrock.amazonaws.com")
DEFAULT_REGIONS: Final = {"aws": "us-east-1", "aws-us-gov": "us-gov-west-1"}
DEFAULT_PROJECT: Final = "default"
_TAGS: Final = ("aws:resourcetag/", "aws:requesttag/")
_MOST_CELLS: Final = 10_000
"""Capabilities and actions times ways of authenticating, projects, models and regions, of the matrix and all rules."""


@dataclass(frozen=True, slots=True)
class Capability:
    """Something that a principal can do, as a column of the matrix."""

    name: str
    title: str
    operations: tuple[str, ...] = ()
    """By name, of ``mantle.operations``; all of them are needed."""
    auths: tuple[AuthMethod, ...] = (AuthMethod.SIGV4,)
    """The ways of authenticating that are asked about where nobody names one."""
    models: bool = False
    """Whether its calls name a model."""


_EVERY_AUTH: Final = tuple(AuthMethod)

CAPABILITIES: Final = (
    Capability("list-models", "list models", ("list-models", "get-model")),
    # One inference API stands for all: they need the same permissions.
    Capability("infer", "call a model", ("create-response",), _EVERY_AUTH, models=True),
    Capability("count-tokens", "count tokens", ("count-tokens",), models=True),
    Capability("read-files", "list and read files", ("list-files", "get-file")),
    Capability("write-files", "upload and delete files", ("create-file", "delete-file")),
    Capability("read-fine-tuning", "see fine-tuning jobs", ("list-fine-tuning-jobs", "get-fine-tuning-job")),
    Capability(
        "fine-tune", "start and cancel fine-tuning", ("create-fine-tuning-job", "cancel-fine-tuning-job"), models=True
    ),
    Capability("read-projects", "list and see projects", ("list-projects", "get-project")),
    Capability(
        "manage-projects", "make, change, archive projects", ("create-project", "update-project", "archive-project")
    ),
    Capability("read-retention", "see the account's data retention", ("get-data-retention",)),
    Capability("set-retention", "set the account's data retention", ("put-data-retention",)),
    # Not a call to the service: short-term keys are made without any call, long-term ones by IAM.
    Capability("create-keys", "make long-term keys for key users"),
)
_BY_NAME: Final = {capability.name: capability for capability in CAPABILITIES}


def find_capability(name: str) -> Capability:
    """The capability called ``name``.

    Raises:
        InputError: there is none.
    """
    found = _BY_NAME.get(name.strip().lower().replace("_", "-"))
    if found is None:
        from difflib import get_close_matches

        near = get_close_matches(name.strip().lower()[:100], list(_BY_NAME), n=1)
        raise InputError(
            f"no capability `{name}`", help=f"did you mean {near[0]}?" if near else f"there are: {', '.join(_BY_NAME)}"
        )
    return found


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked about.  Empty: the default of each capability, ``project/default``, any model, one region."""

    capabilities: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    """Full names of actions, asked about by themselves; no capability is then asked unless named."""
    auths: tuple[AuthMethod, ...] = ()
    projects: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    any_of: bool = False
    """Whether one of a capability's operations, or one kind of resource of an action, is enough: what nobody may do is not
    met by who can do half of it."""


@dataclass(frozen=True, slots=True)
class Need:
    """One permission: an action on a resource by one way of authenticating; every point of it is needed."""

    action: str
    resource: str
    """With ``${Account}`` and ``${Partition}``."""
    auth: AuthMethod
    model: str | None
    region: str
    points: tuple[int, ...]
    """Indices of questions: the action itself first, then the use of the key."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A capability, or an action, in one of its forms."""

    name: str
    """Of the capability or the action."""
    auth: AuthMethod
    project: str
    model: str | None
    region: str
    needs: tuple[int, ...]
    """Indices into ``Sheet.needs``."""

    @property
    def label(self) -> str:
        """The column's name: the capability, and by which key where it is no signed call."""
        return self.name if self.auth is AuthMethod.SIGV4 else f"{self.name} ({self.auth})"


@dataclass(frozen=True, slots=True)
class Sheet:
    """Everything that is asked in one partition."""

    partition: str
    questions: tuple[Question, ...]
    needs: tuple[Need, ...]
    cells: tuple[Cell, ...]
    parts: tuple[tuple[int, ...], ...]
    """For each ``Wanted`` the indices of its cells; the first one is the matrix."""


def make_sheet(
    wanted: Iterable[Wanted], partition: str, context: tuple[tuple[str, ContextValue | None], ...] = ()
) -> Sheet:
    """The sheet of all ``wanted`` together, each question once.  ``context``: what is known of every call.

    Raises:
        InputError: no such capability.
    """
    return _Maker(partition, context).make(tuple(wanted))


class _Maker:
    def __init__(self, partition: str, context: tuple[tuple[str, ContextValue | None], ...]) -> None:
        self.partition = partition
        self.context = context
        self.questions: dict[Question, int] = {}
        self.needs: dict[Need, int] = {}
        self.cells: dict[Cell, int] = {}

    def make(self, wanted: tuple[Wanted, ...]) -> Sheet:
        parts = tuple(tuple(dict.fromkeys(self._part(one))) for one in wanted)
        return Sheet(self.partition, tuple(self.questions), tuple(self.needs), tuple(self.cells), parts)

    def _part(self, wanted: Wanted) -> Iterable[int]:
        names = wanted.capabilities or (() if wanted.actions else tuple(_BY_NAME))
        for region in self._regions(wanted.regions):
            for project in wanted.projects or (DEFAULT_PROJECT,):
                for capability in map(find_capability, names):
                    models: tuple[str | None, ...] = (wanted.models or (None,)) if capability.models else (None,)
                    for model in models:
                        yield from self._capability(capability, wanted, project, model, region)
                for action in wanted.actions:
                    carries = catalog.carries(action, overlay.MODEL_KEY)
                    for model in (wanted.models or (None,)) if carries else (None,):
                        for auth in wanted.auths or (AuthMethod.SIGV4,):
                            yield from self._action(action, auth, wanted, project, model, region)

    def _regions(self, regions: tuple[str, ...]) -> tuple[str, ...]:
        """Those of the partition; where none is named, one of its regions stands for all.

        Of two partitions at once the columns would not be the same ones.
        """
        if len({partition_of(region) for region in regions}) > 1:
            raise InputError("the regions are of several partitions", help="ask for each partition by itself")
        own = tuple(region for region in regions if partition_of(region) == self.partition)
        return own if regions else (DEFAULT_REGIONS.get(self.partition, "*"),)

    def _capability(
        self, capability: Capability, wanted: Wanted, project: str, model: str | None, region: str
    ) -> Iterable[int]:
        if not capability.operations:
            # IAM takes signed calls only.
            point = self._point(CREATE_KEY, ANY_KEY_USER, None, None, (_KEY_SERVICE,))
            need = self._need(Need(CREATE_KEY, ANY_KEY_USER, AuthMethod.SIGV4, None, region, (point,)))
            yield self._cell(Cell(capability.name, AuthMethod.SIGV4, project, None, region, (need,)))
            return
        scope = self._scope(project, region)
        for auth in wanted.auths or capability.auths:
            parts: list[list[int]] = []
            for name in capability.operations:
                operation = operation_named(name)
                if operation is None:
                    raise InputError(f"no operation `{name}`")
                permissions = required_permissions(operation, AuthMethod.SIGV4, scope)
                parts.append(self._needs(permissions, auth, model, region))
            for needs in parts if wanted.any_of else [[need for part in parts for need in part]]:
                yield self._cell(Cell(capability.name, auth, project, model, region, tuple(dict.fromkeys(needs))))

    def _action(
        self, action: str, auth: AuthMethod, wanted: Wanted, project: str, model: str | None, region: str
    ) -> Iterable[int]:
        scope = self._scope(project, region)
        permissions = permissions_for_action(action, scope)
        for part in _alternatives(action, permissions, scope, wanted) if wanted.any_of else [permissions]:
            needs = self._needs(part, auth, model, region)
            yield self._cell(Cell(action, auth, project, model, region, tuple(dict.fromkeys(needs))))

    def _scope(self, project: str, region: str) -> Scope:
        regions = () if region == "*" else (region,)
        return Scope(partition=self.partition, account=ACCOUNT, regions=regions, projects=(project,))

    def _needs(self, permissions: Iterable[Permission], auth: AuthMethod, model: str | None, region: str) -> list[int]:
        found: list[int] = []
        own_service = f"{overlay.SERVICE}:"
        bearer = self._point(overlay.BEARER_ACTION, "*", None, auth) if auth.is_bearer else None
        if bearer is not None:
            found.append(self._need(Need(overlay.BEARER_ACTION, "*", auth, None, region, (bearer,))))
        for permission in permissions:
            action, resource = permission.action, permission.resource
            if action == overlay.BEARER_ACTION:
                if bearer is None:
                    point = self._point(action, resource, None, None)
                    found.append(self._need(Need(action, resource, auth, None, region, (point,))))
                continue
            named = model if catalog.carries(action, overlay.MODEL_KEY) else None
            points: tuple[int, ...] = (self._point(action, resource, named, None),)
            if bearer is not None and action.startswith(own_service):
                points = (*points, bearer)
            found.append(self._need(Need(action, resource, auth, named, region, points)))
        return found

    def _point(
        self,
        action: str,
        resource: str,
        model: str | None,
        auth: AuthMethod | None,
        more: tuple[tuple[str, ContextValue | None], ...] = (),
    ) -> int:
        absent, lacks = _absent(action), _lacking(action)
        known = dict.fromkeys(absent) | dict(SETTLED) | dict(more)
        if model is not None:
            known[overlay.MODEL_KEY] = model
        if auth in TOKEN_TYPES and action == overlay.BEARER_ACTION:
            known[overlay.BEARER_TYPE_KEY] = TOKEN_TYPES[auth]
        # What is told of every call is so of those that have the key at all.
        never = {key.lower() for key in absent}
        told = {key.lower(): (key, value) for key, value in self.context}
        told = {key: pair for key, pair in told.items() if key not in never and not key.startswith(lacks)}
        context = tuple((key, value) for key, value in known.items() if key.lower() not in told)
        question = Question(action, resource, (*context, *told.values()), open=True, lacks=lacks)
        return self.questions.setdefault(question, len(self.questions))

    def _need(self, need: Need) -> int:
        return self.needs.setdefault(need, len(self.needs))

    def _cell(self, cell: Cell) -> int:
        if len(self.cells) >= _MOST_CELLS:
            raise InputError(
                f"more than {_MOST_CELLS:,} combinations of actions, projects, models and regions are asked for",
                help="ask for fewer of them at once",
            )
        return self.cells.setdefault(cell, len(self.cells))


def _alternatives(
    action: str, permissions: tuple[Permission, ...], scope: Scope, wanted: Wanted
) -> Iterable[tuple[Permission, ...]]:
    """Each of which is a use of the action: on all resources that it needs at once, or on one of any of several types.

    Of other services the reference calls every type required of which a request names one.
    """
    info = catalog.known_action(action)
    own = action.lower().startswith(f"{overlay.SERVICE}:")
    if info is None or (own and all(use.required for use in info.resource_types)):
        return (permissions,)
    if not wanted.projects:
        found = permissions_for_action(action, replace(scope, projects=()))
        permissions += tuple(one for one in found if ":project/" not in one.resource)
    return tuple((one,) for one in dict.fromkeys(permissions))


@lru_cache(maxsize=1024)
def _absent(action: str) -> tuple[str, ...]:
    """Keys that requests for ``action`` surely lack: the service's own that it does not declare, and the twin endpoint's."""
    prefix = f"{overlay.SERVICE}:"
    own = (key.name for key in catalog.service_condition_keys() if key.name.startswith(prefix))
    carried = {key.lower() for key in catalog.condition_keys(action)}
    others = ("bedrock:BearerTokenType", "aws:TagKeys") if action.startswith(prefix) else ()
    return tuple(key for key in (*own, *others) if key.lower() not in carried)


@lru_cache(maxsize=1024)
def _lacking(action: str) -> tuple[str, ...]:
    """Families of keys, by their beginning, that requests for an action of the service surely lack.

    What is not in the reference yet (a preview) may carry any.
    """
    info = catalog.known_action(action)
    if info is None or info.preview or not action.startswith(f"{overlay.SERVICE}:"):
        return ()
    carried = tuple(key.lower() for key in catalog.condition_keys(action))
    return tuple(family for family in _TAGS if not any(key.startswith(family) for key in carried))


def in_account(need: Need, partition: str, account: str) -> Need:
    """``need`` with the account's resource."""
    return replace(need, resource=need.resource.replace(PARTITION, partition).replace(ACCOUNT, account))
