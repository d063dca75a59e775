"""The ordinary form of dumps and documents: a text that has it, to the last member, is decoded by it at once.

Only for speed: what has another form (a member that is unknown here, of another type or there twice; no JSON at all) is
``None``, and read by who says what is wrong with it; the two read an ordinary text alike.  Imports ``msgspec``, so this is
imported where dumps are read.
Source: https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountAuthorizationDetails.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal

from msgspec import UNSET, DecodeError, Meta, Raw, Struct, UnsetType, json
from msgspec.structs import asdict

from mantle_iam.iam.policy import Condition, Effect, PolicyDocument, Statement, UnreadDocument

_Other = Raw | UnsetType
"""A member that nobody looks at."""


_Plain = dict[str, str]
"""An object of texts."""


class _Inline(Struct, omit_defaults=True):
    PolicyName: str
    PolicyDocument: Raw


class _Version(Struct, omit_defaults=True):
    Document: Raw
    VersionId: str
    IsDefaultVersion: bool
    CreateDate: _Other = UNSET


class _Policy(Struct, omit_defaults=True):
    Arn: str
    PolicyName: str
    PolicyVersionList: list[_Version]
    DefaultVersionId: str | None = None
    PolicyId: _Other = UNSET
    Path: _Other = UNSET
    AttachmentCount: _Other = UNSET
    PermissionsBoundaryUsageCount: _Other = UNSET
    IsAttachable: _Other = UNSET
    Description: _Other = UNSET
    CreateDate: _Other = UNSET
    UpdateDate: _Other = UNSET


class _User(Struct, omit_defaults=True):
    Arn: str
    UserPolicyList: list[_Inline] | None = None
    GroupList: list[str] | None = None
    AttachedManagedPolicies: list[_Plain] | None = None
    PermissionsBoundary: _Plain | None = None
    Tags: list[_Plain] | None = None
    UserName: _Other = UNSET
    UserId: _Other = UNSET
    Path: _Other = UNSET
    CreateDate: _Other = UNSET


class _Group(Struct, omit_defaults=True):
    Arn: str
    GroupName: str
    GroupPolicyList: list[_Inline] | None = None
    AttachedManagedPolicies: list[_Plain] | None = None
    GroupId: _Other = UNSET
    Path: _Other = UNSET
    CreateDate: _Other = UNSET


class _Role(Struct, omit_defaults=True):
    Arn: str
    AssumeRolePolicyDocument: Raw
    RolePolicyList: list[_Inline] | None = None
    AttachedManagedPolicies: list[_Plain] | None = None
    PermissionsBoundary: _Plain | None = None
    Tags: list[_Plain] | None = None
    RoleName: _Other = UNSET
    RoleId: _Other = UNSET
    Path: _Other = UNSET
    CreateDate: _Other = UNSET
    InstanceProfileList: _Other = UNSET
    RoleLastUsed: _Other = UNSET


class _Page(Struct, omit_defaults=True):
    RoleDetailList: list[_Role]
    UserDetailList: list[_User] | None = None
    GroupDetailList: list[_Group] | None = None
    Policies: list[_Policy] | None = None
    IsTruncated: bool | None = None
    Marker: _Other = UNSET
    ResponseMetadata: _Other = UNSET


_Texts = str | Annotated[list[str], Meta(min_length=1)]


class _Statement(Struct, omit_defaults=True):
    Effect: Literal["Allow", "Deny"]
    Action: _Texts
    Resource: _Texts | None = None
    Condition: dict[str, dict[str, _Texts]] | None = None
    Sid: str | None = None


_Statements = tuple[Statement, ...]


class _Document(Struct, omit_defaults=True):
    Statement: _Statement | list[_Statement]
    Version: Literal["2012-10-17", "2008-10-17"] | None = None
    Id: str | None = None

    def statements(self) -> _Statements:
        """As ``UnreadStatements``."""
        return tuple([_statement(one) for one in self._many()])

    def action_patterns(self) -> list[Sequence[str]]:
        """As ``UnreadStatements``."""
        return [(one.Action,) if isinstance(one.Action, str) else one.Action for one in self._many()]

    def _many(self) -> list[_Statement]:
        return self.Statement if isinstance(self.Statement, list) else [self.Statement]


_page: Final = json.Decoder(_Page).decode
_document: Final = json.Decoder(_Document).decode
_encode: Final = json.Encoder().encode
_EFFECTS: Final = {effect.value: effect for effect in Effect}


def page_of(text: str) -> dict[str, Any] | None:
    """The page of a dump that ``text`` is, with documents as ``bytes`` of their JSON; ``None``: not of the ordinary form."""
    # With a colon that is spelt out there would be more of them than were written.
    if "\\" in text and "\\u003" in text:
        return None
    try:
        page = _page(text)
        if _encode(page).count(b":") != text.count(":"):
            return None
    except (DecodeError, RecursionError, UnicodeError):
        return None
    return {
        "UserDetailList": None if page.UserDetailList is None else [_user(one) for one in page.UserDetailList],
        "GroupDetailList": None if page.GroupDetailList is None else [_group(one) for one in page.GroupDetailList],
        "RoleDetailList": [_role(one) for one in page.RoleDetailList],
        "Policies": None if page.Policies is None else [_policy(one) for one in page.Policies],
        "IsTruncated": page.IsTruncated,
    }


def _user(one: _User) -> dict[str, Any]:
    return {**asdict(one), "UserPolicyList": _inline(one.UserPolicyList)}


def _group(one: _Group) -> dict[str, Any]:
    return {**asdict(one), "GroupPolicyList": _inline(one.GroupPolicyList)}


def _role(one: _Role) -> dict[str, Any]:
    return {
        "Arn": one.Arn,
        "AssumeRolePolicyDocument": _written(one.AssumeRolePolicyDocument),
        "RolePolicyList": _inline(one.RolePolicyList),
        "AttachedManagedPolicies": one.AttachedManagedPolicies,
        "PermissionsBoundary": one.PermissionsBoundary,
        "Tags": one.Tags,
    }


def _inline(policies: list[_Inline] | None) -> list[dict[str, Any]] | None:
    if policies is None:
        return None
    return [{"PolicyName": one.PolicyName, "PolicyDocument": _written(one.PolicyDocument)} for one in policies]


def _written(document: Raw) -> bytes | None:
    """The text of a document; ``None`` as decoding has it."""
    content = bytes(document)
    return None if content == b"null" else content


def _policy(policy: _Policy) -> dict[str, Any]:
    versions = [{**asdict(one), "Document": _written(one.Document)} for one in policy.PolicyVersionList]
    return {**asdict(policy), "PolicyVersionList": versions}


def document_of(content: bytes) -> PolicyDocument | None:
    """The policy document that ``content`` is; ``None``: not of the ordinary form."""
    try:
        found = _document(content)
    except (DecodeError, RecursionError):
        return None
    # What was there twice is there once now, and the colon behind its name is gone.
    if b"\\" in content or _encode(found).count(b":") != content.count(b":"):
        return None
    return UnreadDocument.of(found, found.Version, found.Id)


def _statement(one: _Statement) -> Statement:
    conditions = () if one.Condition is None else _conditions(one.Condition)
    resources = () if one.Resource is None else _texts(one.Resource)
    return Statement(_EFFECTS[one.Effect], _texts(one.Action), (), resources, (), None, None, conditions, one.Sid)


def _conditions(block: Mapping[str, Mapping[str, str | list[str]]]) -> tuple[Condition, ...]:
    return tuple(
        [Condition(operator, key, _texts(values)) for operator, keys in block.items() for key, values in keys.items()]
    )


def _texts(value: str | list[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)
