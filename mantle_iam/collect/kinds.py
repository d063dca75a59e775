"""What a decoded value is, told by its content and never by its file's name, and what is read out of it.

The order of ``_KINDS`` is the order of asking: the most certain marks come first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from mantle_iam.collect.account_facts import Facts, is_credentials, is_endpoints
from mantle_iam.collect.cloudformation import is_template, read_template
from mantle_iam.collect.declared import Declared, assemble
from mantle_iam.collect.documents import Documents
from mantle_iam.collect.dumps import Managed, Page, is_dump
from mantle_iam.collect.fields import Notes, text
from mantle_iam.collect.folders import has_root, level_of, purpose_of
from mantle_iam.collect.organization_files import OrganizationReader, is_organization
from mantle_iam.collect.places import TextError
from mantle_iam.collect.saved import Layer, is_record, read_record
from mantle_iam.collect.terraform_plan import is_plan, is_raw_state, read_plan
from mantle_iam.iam.inventory import Account, NamedPolicy, Place, Purpose
from mantle_iam.iam.policy import Effect, PolicyDocument


@dataclass(slots=True)
class Taken:
    """What the inputs hold, as they come in; dumps excepted, which are read one by one."""

    documents: Documents
    managed: Managed
    parameters: Mapping[str, str]
    kinds: Mapping[str, Purpose]
    organization: OrganizationReader = field(init=False)
    facts: Facts = field(init=False)
    accounts: list[tuple[Account, str]] = field(default_factory=list)
    """Accounts that infrastructure code would make, and from which file."""
    policies: list[NamedPolicy] = field(default_factory=list)
    levels: dict[tuple[str, ...], list[NamedPolicy]] = field(default_factory=dict)
    pages: list[Page] = field(default_factory=list)
    """Pages of dumps that were found on the way; whoever reads dumps takes them from here."""

    def __post_init__(self) -> None:
        self.organization = OrganizationReader(self.documents)
        self.facts = Facts(self.documents)

    def declared(self, found: Declared, path: str, notes: Notes) -> None:
        """What infrastructure code declares."""
        account, loose = assemble(found, self.documents, self.managed, notes)
        if account is not None:
            self.accounts.append((account, path))
        self.policies.extend(loose)


@dataclass(frozen=True, slots=True)
class Where:
    """Which value of which file, and the path that the user gave."""

    path: str
    given: str
    pointer: str = ""
    pseudo: Mapping[str, str] = field(default_factory=dict)
    """Template parameters that the file's surroundings give; those of the user win."""


def take(value: Any, where: Where, taken: Taken, notes: Notes) -> str:
    """Read one value into ``taken``; answers what kind it is.

    Raises:
        TextError: it is none that is read here.
    """
    for name, recognised, read in _KINDS:
        if recognised(value):
            read(value, where, taken, notes)
            return name
    raise TextError(_not_recognised(value))


def _not_recognised(value: Any) -> str:
    if isinstance(value, Mapping):
        if "Error" in value or "__type" in value:
            return "an error message of AWS, not data"
        names = ", ".join(f"`{str(key)[:40]}`" for key in list(value)[:4])
        return f"none of the kinds that are read here; it has {names}" if names else "an empty object"
    return "none of the kinds that are read here: a JSON object is needed"


def _dump(value: Any, where: Where, taken: Taken, notes: Notes) -> None:
    taken.pages.append(Page(value, where.path, where.pointer))


def _plan(value: Any, where: Where, taken: Taken, notes: Notes) -> None:
    taken.declared(read_plan(value, where.path, where.pointer, notes), where.path, notes)


def _raw_state(value: Any, where: Where, taken: Taken, notes: Notes) -> None:
    raise TextError("a Terraform state file, whose format is Terraform's own: give `terraform show -json`")


def _template(value: Any, where: Where, taken: Taken, notes: Notes) -> None:
    taken.declared(
        read_template(value, where.path, where.pointer, {**where.pseudo, **taken.parameters}, notes), where.path, notes
    )


def _credentials(value: Any, where: Where, taken: Taken, notes: Notes) -> None:
    taken.facts.take_credentials(value, where.path, notes)


def _endpoints(value: Any, where: Where, taken: Taken, notes: Notes) -> None:
    taken.facts.take_endpoints(value, where.path, where.pointer, notes)


def _record(value: Any, where: Where, taken: Taken, notes: Notes) -> None:
    record = read_record(value)
    for one in record.unread:
        if one.layer is Layer.ACCOUNT:
            raise TextError(one.sentence)
        notes.add(one.sentence)
    taken.facts.take_record(record)


def _organization(value: Any, where: Where, taken: Taken, notes: Notes) -> None:
    taken.organization.take(value, where.path, where.pointer, notes)


_WRAPPERS: Final = (
    # Around a document in the answers of get-policy-version, get-*-policy, get-role, and in the files of ``policies/``.
    ("PolicyVersion", "Document"),
    ("PolicyDocument",),
    ("Document",),
    ("Role", "AssumeRolePolicyDocument"),
    ("InlinePolicy",),
    ("Content",),
    ("document",),
)


def _inner(value: Any) -> tuple[Any, str]:
    """The document inside of what an AWS command prints, and its pointer; ``None`` where there is none."""
    if not isinstance(value, Mapping):
        return None, ""
    if "Statement" in value:
        return value, ""
    for path in _WRAPPERS:
        inner: Any = value
        for name in path:
            inner = inner.get(name) if isinstance(inner, Mapping) else None
        if isinstance(inner, str | Mapping):
            return inner, "".join(f"/{name}" for name in path)
    return None, ""


def _is_policy(value: Any) -> bool:
    return _inner(value)[0] is not None


def _policy(value: Any, where: Where, taken: Taken, notes: Notes) -> None:
    source, inside = _inner(value)
    read = taken.documents.read(source)
    if read.document is None:
        raise TextError(read.problem)
    for problem in read.document.problems:
        if "more than once" in problem.message:
            notes.add(f"{problem.message} (at `{problem.pointer[:120]}`)", partial=False)
    said = purpose_of(where.path, where.given, taken.kinds)
    purpose = said or (Purpose.TRUST if inside.startswith("/Role") else _by_content(read.document))
    name = text(value, "PolicyName") or text(value, "name") or _stem(where.path)
    place = Place(where.path, pointer=where.pointer + inside)
    named = NamedPolicy(name, read.document, purpose, place, text(value, "arn"), read.unresolved)
    taken.policies.append(named)
    if purpose in (Purpose.SCP, Purpose.RCP) and (where.given in taken.kinds or has_root(where.path)):
        level = level_of(where.path, where.given)
        if level is not None:
            taken.levels.setdefault(level, []).append(named)
        elif where.given == where.path:
            taken.levels.setdefault((), []).append(named)


def _by_content(document: PolicyDocument) -> Purpose:
    """A document with principals is no identity policy; one that is about assuming roles is a role's trust policy."""
    statements = document.statements
    if not any(s.principals is not None or s.not_principals is not None for s in statements):
        return Purpose.IDENTITY
    actions = [action.lower() for s in statements if s.effect is Effect.ALLOW for action in s.actions]
    if actions and all(
        action.startswith(("sts:assumerole", "sts:tagsession", "sts:setsourceidentity")) for action in actions
    ):
        return Purpose.TRUST
    return Purpose.RESOURCE


def _stem(path: str) -> str:
    name = path.replace("\\", "/").rpartition("/")[2]
    return name.removesuffix(".gz").rpartition(".")[0] or name


def _assembly(value: Any) -> bool:
    return isinstance(value, Mapping) and isinstance(value.get("artifacts"), Mapping) and "version" in value


def _assembly_alone(value: Any, where: Where, taken: Taken, notes: Notes) -> None:
    raise TextError("the manifest of a CDK assembly: give the folder in which it is")


_Read = Callable[[Any, Where, Taken, Notes], None]
_KINDS: Final[tuple[tuple[str, Callable[[Any], bool], _Read], ...]] = (
    ("authorization-details", is_dump, _dump),
    ("terraform-plan", is_plan, _plan),
    ("terraform-state", is_raw_state, _raw_state),
    ("cloudformation", is_template, _template),
    ("cdk-assembly", _assembly, _assembly_alone),
    ("account-record", is_record, _record),
    ("service-specific-credentials", is_credentials, _credentials),
    ("vpc-endpoints", is_endpoints, _endpoints),
    ("organization", is_organization, _organization),
    # Last: other formats hold documents, and only this one is nothing else.
    ("policy", _is_policy, _policy),
)


def templates_of(manifest: Any, notes: Notes) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Template files of a CDK assembly's manifest, below its folder, with the pseudo parameters that their environment gives."""
    artifacts = manifest.get("artifacts") if isinstance(manifest, Mapping) else None
    for name, artifact in artifacts.items() if isinstance(artifacts, Mapping) else ():
        kind = text(artifact, "type")
        properties = artifact.get("properties") if isinstance(artifact, Mapping) else None
        if kind == "cdk:cloud-assembly":
            yield f"{text(properties, 'directoryName') or name}/manifest.json", {}
        if kind != "aws:cloudformation:stack":
            continue
        file = text(properties, "templateFile")
        if not file or "\0" in file or file.startswith(("/", "\\")) or ".." in file.replace("\\", "/").split("/"):
            notes.add("a stack whose template is not in the assembly", str(name))
            continue
        account, _, region = text(artifact, "environment").removeprefix("aws://").partition("/")
        given = {"AWS::AccountId": account if account.isdigit() else "", "AWS::Region": region}
        yield file, {key: value for key, value in given.items() if value and "unknown" not in value}
