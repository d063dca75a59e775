"""What a decoded value is, told by its content and never by its file's name, and what is read out of it.

The order of ``_KINDS`` is the order of asking: the most certain marks come first.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from mantle_iam.collect.account_facts import Facts, is_credentials, is_endpoints
from mantle_iam.collect.assembly import assemble
from mantle_iam.collect.cloudformation import is_template, read_template
from mantle_iam.collect.declared import Declared
from mantle_iam.collect.documents import Documents
from mantle_iam.collect.dumps import Managed, Page, is_dump
from mantle_iam.collect.fields import Notes, text
from mantle_iam.collect.folders import has_root, level_of, purpose_of
from mantle_iam.collect.foreign import foreign
from mantle_iam.collect.organization_files import OrganizationReader, is_organization
from mantle_iam.collect.own import is_own
from mantle_iam.collect.own_account import apart
from mantle_iam.collect.places import TextError
from mantle_iam.collect.saved import Layer, is_record, read_record
from mantle_iam.collect.terraform_plan import is_log, is_plan, is_raw_state, read_plan
from mantle_iam.iam.inventory import Account, NamedPolicy, Place, Principal, Purpose
from mantle_iam.iam.policy import Effect, PolicyDocument

CALLED: Final = "read where another module or template calls it"


@dataclass(slots=True)
class Taken:
    """What the inputs hold, as they come in; dumps excepted, which are read one by one."""

    documents: Documents
    managed: Managed
    parameters: Mapping[str, str]
    kinds: Mapping[str, Purpose]
    regions: Sequence[str] = ()
    """Those that are asked about."""
    organization: OrganizationReader = field(init=False)
    facts: Facts = field(init=False)
    accounts: list[tuple[Account, str]] = field(default_factory=list)
    """Accounts that infrastructure code would make, and from which file."""
    policies: list[NamedPolicy] = field(default_factory=list)
    levels: dict[tuple[str, ...], list[NamedPolicy]] = field(default_factory=dict)
    pages: list[Page] = field(default_factory=list)
    """Pages of dumps that were found on the way; whoever reads dumps takes them from here."""
    files: set[str] = field(default_factory=set)
    """Files of documents that were read with the code that names them."""
    _called: frozenset[str] = frozenset()
    """Folders of Terraform modules that were read with those that call them."""
    _code: dict[str, tuple[Declared, tuple[NamedPolicy, ...]]] = field(default_factory=dict)
    """What infrastructure code declares, and its documents that bind nobody, by the path of the code."""

    def __post_init__(self) -> None:
        self.organization = OrganizationReader(self.documents)
        self.facts = Facts(self.documents)

    def declared(self, found: Declared, path: str, notes: Notes) -> None:
        """What infrastructure code declares."""
        self._called |= found.folders
        place = os.path.normpath(path)
        if place in self._called:
            notes.add(CALLED, path, partial=False)
            return
        found.account = found.account or self.parameters.get("AWS::AccountId", "")
        account, loose = assemble(found, self.documents, self.managed, notes)
        self.accounts.extend((one, path) for one in apart(account))
        self.policies.extend(loose)
        self._code[place] = (found, loose)
        self.files |= set(map(os.path.normpath, found.files()))
        for folder in found.folders & set(self._code):
            # Read by itself before it was known who calls it.
            gone = set(map(id, self._code.pop(folder)[1]))
            self.policies[:] = [policy for policy in self.policies if id(policy) not in gone]
            self._without(folder)

    def called(self, path: str) -> bool:
        """Whether the code there was read with that which calls it, be it before or after."""
        return os.path.normpath(path) in self._called

    def planned(self, found: Declared, path: str, notes: Notes) -> None:
        """What a plan declares.  The code in its folder says what the plan does not know yet; who there is, the plan alone."""
        folder = os.path.normpath(os.path.dirname(path) or ".")  # noqa: PTH120
        code = self._code.get(folder, (None, ()))[0]
        if code is not None and found.completed(code):
            notes.add("completed by the code beside it", folder, partial=False)
            for account in self._without(folder):
                self.policies.extend(policy for each in account.principals for policy in _policies_of(each))
                self.policies.extend(account.endpoints)
        self.declared(found, path, notes)

    def _without(self, folder: str) -> list[Account]:
        """Takes back the account of a folder's code."""
        gone = [account for account, path in self.accounts if os.path.normpath(path) == folder]
        self.accounts[:] = [each for each in self.accounts if os.path.normpath(each[1]) != folder]
        return gone


def _policies_of(principal: Principal) -> Iterator[NamedPolicy]:
    """Every document of a principal."""
    yield from principal.identity
    yield from (policy for policy in (principal.boundary, principal.trust) if policy is not None)


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
    if where.path.endswith((".tfvars.json", ".tfvars.json.gz")):
        return "terraform-variables"  # nothing but its name tells; read with the module beside it
    for name, recognised, read in _KINDS:
        if recognised(value):
            read(value, where, taken, notes)
            return name
    raise TextError(_not_recognised(value))


def _not_recognised(value: Any) -> str:
    if isinstance(value, Mapping):
        if "Error" in value or "__type" in value:
            return "an error message of AWS, not data"
        names = ", ".join(f"`{key}`" for key in list(value)[:4] if _is_name(key))
        return (
            f"none of the kinds that are read here; it has {names}"
            if names
            else ("none of the kinds that are read here" if value else "an empty object")
        )
    return "none of the kinds that are read here: a JSON object is needed"


def _is_name(key: object) -> bool:
    """Whether a key is a word.  Anything else of a file that is not known may be a secret, and is not shown."""
    plain = str(key).removeprefix("$").replace("_", "").replace("-", "")
    return plain.isascii() and plain.isalpha() and len(plain) <= 24


def _dump(value: Any, where: Where, taken: Taken, notes: Notes) -> None:
    taken.pages.append(Page(value, where.path, where.pointer))


def _plan(value: Any, where: Where, taken: Taken, notes: Notes) -> None:
    taken.planned(read_plan(value, where.path, where.pointer, notes), where.path, notes)


def _log(value: Any, where: Where, taken: Taken, notes: Notes) -> None:
    raise TextError("the messages of `terraform plan -json`, not the plan: give `terraform show -json PLANFILE`")


def _raw_state(value: Any, where: Where, taken: Taken, notes: Notes) -> None:
    raise TextError("a Terraform state file, whose format is Terraform's own: give `terraform show -json`")


def _template(value: Any, where: Where, taken: Taken, notes: Notes) -> None:
    taken.declared(
        read_template(value, where.path, where.pointer, {**where.pseudo, **taken.parameters}, notes), where.path, notes
    )


def _report(value: Any, where: Where, taken: Taken, notes: Notes) -> None:
    if where.path == where.given:
        raise TextError("a report or requirements of an audit, and no input")
    notes.add("a report or requirements of an audit, and no input: passed over", partial=False)


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
    for region in taken.regions:
        if region not in record.regions:
            notes.add("policies of VPC endpoints are unknown in a region where nobody looked", region)
    taken.facts.take_record(record, taken.regions)


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
    if os.path.normpath(where.path) in taken.files and not where.pointer:
        notes.add("read where Terraform code names it", where.path, partial=False)
        return
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


def _is_foreign(value: Any) -> bool:
    return bool(foreign(value))


def _foreign(value: Any, where: Where, taken: Taken, notes: Notes) -> None:
    if where.path == where.given:
        raise TextError(f"{foreign(value)}, which holds no policy")
    notes.add("passed over, since it is something else", foreign(value), partial=False)


_Read = Callable[[Any, Where, Taken, Notes], None]
_KINDS: Final[tuple[tuple[str, Callable[[Any], bool], _Read], ...]] = (
    ("authorization-details", is_dump, _dump),
    ("terraform-plan", is_plan, _plan),
    ("terraform-state", is_raw_state, _raw_state),
    ("terraform-log", is_log, _log),
    ("cloudformation", is_template, _template),
    ("cdk-assembly", _assembly, _assembly_alone),
    ("account-record", is_record, _record),
    ("service-specific-credentials", is_credentials, _credentials),
    ("vpc-endpoints", is_endpoints, _endpoints),
    ("organization", is_organization, _organization),
    # Late: other formats hold documents, and only this one is nothing else.
    ("policy", _is_policy, _policy),
    ("report", is_own, _report),
    ("other", _is_foreign, _foreign),
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
        given = {
            "AWS::AccountId": account if account.isdigit() else "",
            "AWS::Region": region,
            "AWS::StackName": text(properties, "stackName") or str(name),
        }
        yield file, {key: value for key, value in given.items() if value and "unknown" not in value}
