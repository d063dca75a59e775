"""What the formats that are programs share: the documents of an artifact with their names, and what is left to the reader.

Decides which documents there are, what each is called, and what a program has to ask for; knows no programming language.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from mantle_iam.errors import InputError
from mantle_iam.generate.artifact import Artifact, Kind, Trust, TrustedBy
from mantle_iam.generate.render.engine import Filters, TemplateSource, rendered
from mantle_iam.iam.grammar import write_policy
from mantle_iam.iam.policy import PolicyDocument

_ONE_DOCUMENT: Final[Mapping[Kind, str]] = {
    # Where AWS has a place for one document only.
    Kind.BOUNDARY: "a user or role has one permissions boundary",
    Kind.VPC_ENDPOINT: "an endpoint has one policy",
    Kind.SESSION: "a session has one inline policy",
    Kind.PERMISSION_SET: "a permission set has one inline policy",
    Kind.TRUST: "a role has one trust policy",
}


@dataclass(frozen=True, slots=True)
class Part:
    """One document and its names."""

    name: str
    """As AWS stores it."""
    suffix: str
    """For the identifiers of a program: empty where there is one document, else its number from 1."""
    document: dict[str, Any]
    """As JSON has it."""


@dataclass(frozen=True, slots=True)
class Setting:
    """Something that the artifact says, or that whoever runs the program has to say."""

    name: str
    """In lower case, with underscores."""
    help: str
    """One line without a full stop."""
    value: str | int | tuple[str, ...] = ""
    """What the artifact says; empty where it says nothing."""
    many: bool = False
    """A list, which may stay empty.  Everything else is needed, unless ``optional``."""
    optional: bool = False
    """The program finds it out when nobody says it."""
    number: bool = False

    @property
    def given(self) -> bool:
        """Whether the artifact says it."""
        return self.value not in ("", ())

    @property
    def words(self) -> tuple[str, ...]:
        """The parts of the name, for languages with other conventions."""
        return tuple(self.name.split("_"))

    @property
    def camel(self) -> str:
        """The name as TypeScript has it: ``groupNames``."""
        first, *rest = self.words
        return first + "".join(word.capitalize() for word in rest)

    @property
    def environment(self) -> str:
        """The name of an environment variable: ``GROUP_NAMES``."""
        return self.name.upper()

    @property
    def owner(self) -> str:
        """What the names are of: ``role`` of ``role_names``."""
        return self.words[0]

    @property
    def option(self) -> str:
        """The name of a command line option: ``--role-name``, of a list for one of it."""
        return "--" + self.name.removesuffix("s" if self.many else "").replace("_", "-")


def parts_of(artifact: Artifact) -> tuple[Part, ...]:
    """The documents of ``artifact``, named and numbered.

    Raises:
        InputError: there are several, and AWS has a place for one.
    """
    reason = _ONE_DOCUMENT.get(artifact.kind)
    if reason is not None and len(artifact.documents) != 1:
        raise InputError(
            f"the policy needs {len(artifact.documents)} documents, and {reason}", help="ask for less in one"
        )
    return _parts(artifact.documents, artifact.name)


def _parts(documents: tuple[PolicyDocument, ...], name: str) -> tuple[Part, ...]:
    if len(documents) == 1:
        return (Part(name, "", write_policy(documents[0])),)
    return tuple(
        Part(f"{name}-{number}", str(number), write_policy(document)) for number, document in enumerate(documents, 1)
    )


def settings_of(artifact: Artifact) -> tuple[Setting, ...]:
    """What a program for ``artifact`` has to know beside the documents, the name and the description."""
    trust = artifact.trust or Trust(TrustedBy.LAMBDA)
    match artifact.kind:
        case Kind.IDENTITY | Kind.INLINE:
            return _takers(artifact, ("role", "user", "group"))
        case Kind.BOUNDARY:
            # A group has no permissions boundary.
            return _takers(artifact, ("role", "user"))
        case Kind.SCP:
            targets = "Ids of roots, organizational units and accounts that get it"
            return (Setting("target_ids", targets, artifact.targets, many=True),)
        case Kind.VPC_ENDPOINT:
            return (Setting("vpc_endpoint_id", "Id of the VPC endpoint", artifact.endpoint),)
        case Kind.SESSION:
            return (Setting("role_arn", "ARN of the role to take on"),)
        case Kind.PERMISSION_SET:
            return (
                Setting("instance_arn", "ARN of the IAM Identity Center instance", artifact.instance, optional=True),
            )
        case Kind.TRUST if trust.by is TrustedBy.POD_IDENTITY:
            return (
                Setting("cluster_name", "Name of the EKS cluster", trust.cluster),
                Setting("namespace", "Kubernetes namespace of the service account", trust.namespace),
                Setting("service_account", "Kubernetes service account of the pods", trust.service_account),
            )
        case Kind.TRUST:
            return ()
        case Kind.LONG_TERM_KEY:
            return (Setting("key_age_days", "Days until the key expires", artifact.key_age_days or "", number=True),)


def _takers(artifact: Artifact, kinds: tuple[str, ...]) -> tuple[Setting, ...]:
    """The lists of names that are given; all of them, empty, where none is."""
    names = {"role": artifact.roles, "user": artifact.users, "group": artifact.groups}
    every = tuple(
        Setting(f"{kind}_names", f"Names of the {kind}s that get the policy", names[kind], many=True) for kind in kinds
    )
    return tuple(each for each in every if each.given) or every


def program(
    folder: str, suffix: str, filters: Filters, checked: Callable[[Artifact], None] | None = None
) -> Callable[[Artifact, TemplateSource], str]:
    """The function of a format that has one template for each kind: ``folder/KIND suffix``.

    Args:
        folder: under ``templates/``.
        suffix: of the templates' names, such as ``.py.j2``.
        filters: how the templates write values.
        checked: raises ``InputError`` for what the format cannot express.
    """

    def write(artifact: Artifact, template: TemplateSource) -> str:
        if checked is not None:
            checked(artifact)
        settings = settings_of(artifact)
        return rendered(
            f"{folder}/{artifact.kind.value.replace('-', '_')}{suffix}",
            template,
            filters,
            artifact=artifact,
            name=artifact.name,
            description=artifact.description,
            parts=parts_of(artifact),
            permissions=_parts(artifact.permissions, artifact.name) if artifact.permissions else (),
            trusted_by=artifact.trust.by.value if artifact.trust else "",
            settings=settings,
            known=[each for each in settings if each.given],
            asked=[each for each in settings if not each.given],
        )

    return write
