"""Terraform and OpenTofu: ``aws_iam_policy_document`` data sources and the resources around them, in both syntaxes.

Decides which resources a kind of policy is.  The language is ``hcl.py``'s; no argument here needs a Terraform newer than 1.5.

Sources: https://registry.terraform.io/providers/hashicorp/aws/latest/docs (each resource by its name; the data source
``iam_policy_document`` for ``&{`` and for ``type = "*"``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from mantle_iam.generate.artifact import Artifact, Kind, TrustedBy
from mantle_iam.generate.render.engine import (
    Format,
    TemplateSource,
    boundary_of_nobody,
    json_text,
    rendered,
    single_document,
)
from mantle_iam.generate.render.hcl import (
    Attribute,
    Block,
    Expression,
    JsonText,
    Keyword,
    SetOf,
    Value,
    identifier,
    json_syntax,
    native,
)
from mantle_iam.iam.grammar import VERSIONS, write_policy
from mantle_iam.iam.policy import PolicyDocument, Principals, Statement

_Holders = tuple[tuple[str, tuple[str, ...]], ...]


def _terraform(artifact: Artifact, template: TemplateSource) -> str:
    return rendered("terraform/main.tf.j2", template, {"native": native}, blocks=tuple(_blocks(artifact)))


def _terraform_json(artifact: Artifact, _: TemplateSource) -> str:
    return json_text(json_syntax(_blocks(artifact)))


def _blocks(artifact: Artifact) -> list[Block]:
    return _KINDS[artifact.kind](artifact)


# --- the document ----------------------------------------------------------------------------------------------------


def _document(label: str, document: PolicyDocument, *, small: bool = False) -> tuple[list[Block], Value]:
    """The data source that says ``document``, and the string that a resource takes for it.

    ``small`` where AWS counts white space against the size of the policy, which IAM does not.
    """
    if not _has_native_form(document):
        return [], JsonText(write_policy(document))
    head = [Attribute("version", document.version or "2008-10-17")]  # the data source's own default is the newer one
    if document.id is not None:
        head.append(Attribute("policy_id", document.id))
    data = Block("data", ("aws_iam_policy_document", label), (*head, *map(_statement, document.statements)))
    return [data], Expression(f"data.aws_iam_policy_document.{label}.{'minified_json' if small else 'json'}")


def _has_native_form(document: PolicyDocument) -> bool:
    """Whether the data source can say it exactly.

    It turns ``&{`` into ``${``, for which there is no escape; it joins conditions of one operator and key; it drops what has no
    value; and it knows no other elements than AWS's grammar does.
    """
    if document.version not in (None, *VERSIONS) or document.problems or document.id == "":
        return False
    for statement in document.statements:
        conditions = [(condition.operator, condition.key) for condition in statement.conditions]
        texts = list(_texts(statement))
        if len(set(conditions)) < len(conditions) or not all(condition.values for condition in statement.conditions):
            return False
        if statement.sid == "" or any("&{" in text for text in texts):
            return False
    return True


def _texts(statement: Statement) -> Iterator[str]:
    yield from (*statement.actions, *statement.not_actions, *statement.resources, *statement.not_resources)
    for principals in (statement.principals, statement.not_principals):
        for _, identifiers in principals.by_type if principals else ():
            yield from identifiers
    for condition in statement.conditions:
        yield condition.key
        yield from condition.values


def _statement(statement: Statement) -> Block:
    body: list[Attribute | Block] = []
    if statement.sid is not None:
        body.append(Attribute("sid", statement.sid))
    body.append(Attribute("effect", statement.effect.value))
    body += _principals("principals", statement.principals)
    body += _principals("not_principals", statement.not_principals)
    for name in ("actions", "not_actions", "resources", "not_resources"):
        values: tuple[str, ...] = getattr(statement, name)
        if values:
            body.append(Attribute(name, values))
    body += [
        _nested(
            "condition",
            Attribute("test", condition.operator),
            Attribute("variable", condition.key),
            Attribute("values", condition.values),
        )
        for condition in statement.conditions
    ]
    return _nested("statement", *body)


def _principals(name: str, principals: Principals | None) -> list[Block]:
    by_type = principals.by_type if principals else ()
    if by_type == (("AWS", ("*",)),):
        by_type = (("*", ("*",)),)  # which the data source writes as "Principal": "*"
    return [
        _nested(name, Attribute("type", kind), Attribute("identifiers", identifiers)) for kind, identifiers in by_type
    ]


# --- what each kind is -----------------------------------------------------------------------------------------------


def _identity(artifact: Artifact) -> list[Block]:
    found, labels = _managed_policies(artifact)
    for kind, names in _holders(artifact):
        each, variables = _each(artifact, f"{kind}s", names, f"Names of the IAM {kind}s that get this policy.")
        found += variables
        for label in labels:
            arn = Attribute("policy_arn", Expression(f"aws_iam_policy.{label}.arn"))
            to = Attribute(kind, Expression("each.value"))
            found.append(_resource(f"iam_{kind}_policy_attachment", label, each, to, arn))
    return found


def _managed_policies(artifact: Artifact, comment: str = "") -> tuple[list[Block], list[str]]:
    found, labels = [], []
    for index, document in enumerate(artifact.documents):
        name = artifact.part_name(index)
        label = identifier(name)
        data, text = _document(label, document)
        described = _described(artifact)
        policy = Attribute("policy", text)
        found += [*data, _resource("iam_policy", label, Attribute("name", name), *described, policy, comment=comment)]
        labels.append(label)
    return found, labels


def _inline(artifact: Artifact) -> list[Block]:
    found: list[Block] = []
    policies = []
    for index, document in enumerate(artifact.documents):
        name = artifact.part_name(index)
        data, text = _document(identifier(name), document)
        found += data
        policies.append((name, Attribute("policy", text)))
    for kind, names in _holders(artifact):
        each, variables = _each(artifact, f"{kind}s", names, f"Names of the IAM {kind}s that get this policy.")
        found += variables
        to = Attribute(kind, Expression("each.value"))
        for name, policy in policies:
            found.append(_resource(f"iam_{kind}_policy", identifier(name), each, Attribute("name", name), to, policy))
    return found


def _boundary(artifact: Artifact) -> list[Block]:
    single_document(artifact)
    boundary_of_nobody(artifact)
    label = identifier(artifact.name)
    use = f"A role or user takes it with: permissions_boundary = aws_iam_policy.{label}.arn"
    found, _ = _managed_policies(artifact, comment=use)
    return [*found, _output(f"{label}_arn", f"aws_iam_policy.{label}.arn", "ARN of the permissions boundary.")]


def _scp(artifact: Artifact) -> list[Block]:
    found: list[Block] = []
    labels = []
    for index, document in enumerate(artifact.documents):
        name = artifact.part_name(index)
        label = identifier(name)
        data, text = _document(label, document, small=True)
        head = [Attribute("name", name), *_described(artifact), Attribute("type", "SERVICE_CONTROL_POLICY")]
        found += [*data, _resource("organizations_policy", label, *head, Attribute("content", text))]
        labels.append(label)
    about = "Ids of the roots, organizational units and accounts that get this policy."
    each, variables = _each(artifact, "targets", artifact.targets, about)
    found += variables
    for label in labels:
        policy = Attribute("policy_id", Expression(f"aws_organizations_policy.{label}.id"))
        to = Attribute("target_id", Expression("each.value"))
        found.append(_resource("organizations_policy_attachment", label, each, policy, to))
    return found


def _vpc_endpoint(artifact: Artifact) -> list[Block]:
    label = identifier(artifact.name)
    data, text = _document(label, single_document(artifact), small=True)
    about = "Id of the interface endpoint for bedrock-mantle that gets this policy."
    endpoint, variables = _given(artifact.endpoint, f"{label}_vpc_endpoint_id", about)
    policy = _resource("vpc_endpoint_policy", label, Attribute("vpc_endpoint_id", endpoint), Attribute("policy", text))
    return [*variables, *data, policy]


def _session(artifact: Artifact) -> list[Block]:
    label = identifier(artifact.name)
    data, text = _document(label, single_document(artifact), small=True)
    name = f"{label}_session_policy"
    about = "Session policy, for AssumeRole."
    use = f'aws sts assume-role --policy "$(terraform output -raw {name})" …'
    return [*data, Block("output", (name,), (Attribute("description", about), Attribute("value", text)), use)]


def _permission_set(artifact: Artifact) -> list[Block]:
    label = identifier(artifact.name)
    data, text = _document(label, single_document(artifact))
    instance: Value = artifact.instance
    if not artifact.instance:
        data = [Block("data", ("aws_ssoadmin_instances", label), ()), *data]
        instance = Expression(f"tolist(data.aws_ssoadmin_instances.{label}.arns)[0]")
    head = [Attribute("name", artifact.name), *_described(artifact), Attribute("instance_arn", instance)]
    assign = "Who gets it where: aws_ssoadmin_account_assignment."
    arns = [
        Attribute(to, Expression(f"aws_ssoadmin_permission_set.{label}.{of}"))
        for to, of in (("instance_arn", "instance_arn"), ("permission_set_arn", "arn"))
    ]
    return [
        *data,
        _resource("ssoadmin_permission_set", label, *head, comment=assign),
        _resource("ssoadmin_permission_set_inline_policy", label, *arns, Attribute("inline_policy", text)),
    ]


_PROVIDER_FIRST: Final = (
    "The OpenID Connect provider in the trust policy must be in the account: aws_iam_openid_connect_provider."
)


def _trust(artifact: Artifact) -> list[Block]:
    label = identifier(artifact.name, "role")
    found, trust = _document(f"{label}_trust", single_document(artifact))
    by = artifact.trust.by if artifact.trust else None
    body = [Attribute("name", artifact.name), *_described(artifact), Attribute("assume_role_policy", trust)]
    federated = by in (TrustedBy.GITHUB, TrustedBy.IRSA)
    found.append(_resource("iam_role", label, *body, comment=_PROVIDER_FIRST if federated else ""))
    role = Attribute("role", Expression(f"aws_iam_role.{label}.name"))
    for index, document in enumerate(artifact.permissions):
        several = len(artifact.permissions) > 1
        part = f"{label}_{index + 1}" if several else label
        name = Attribute("name", f"{artifact.name}-{index + 1}" if several else artifact.name)
        data, text = _document(part, document)
        found += [*data, _resource("iam_role_policy", part, name, role, Attribute("policy", text))]
    if by is TrustedBy.EC2:
        found.append(_resource("iam_instance_profile", label, Attribute("name", artifact.name), role))
    if by is TrustedBy.POD_IDENTITY:
        found += _pod_identity(artifact, label)
    return [*found, _output(f"{label}_arn", f"aws_iam_role.{label}.arn", "ARN of the role.")]


def _pod_identity(artifact: Artifact, label: str) -> list[Block]:
    found: list[Block] = []
    arguments = []
    for name, value, about in (
        ("cluster_name", artifact.trust.cluster if artifact.trust else "", "Name of the EKS cluster."),
        ("namespace", artifact.trust.namespace if artifact.trust else "", "Kubernetes namespace."),
        ("service_account", artifact.trust.service_account if artifact.trust else "", "Kubernetes service account."),
    ):
        given, variables = _given(value, f"{label}_{name}", about)
        found += variables
        arguments.append(Attribute(name, given))
    role = Attribute("role_arn", Expression(f"aws_iam_role.{label}.arn"))
    return [*found, _resource("eks_pod_identity_association", label, *arguments, role)]


def _long_term_key(artifact: Artifact) -> list[Block]:
    label = identifier(artifact.name, "user")
    user = Expression(f"aws_iam_user.{label}.name")
    found = [_resource("iam_user", label, Attribute("name", artifact.name))]
    policies, labels = _managed_policies(artifact)
    found += policies
    for part in labels:
        arn = Attribute("policy_arn", Expression(f"aws_iam_policy.{part}.arn"))
        found.append(_resource("iam_user_policy_attachment", part, Attribute("user", user), arn))
    body = [Attribute("user_name", user), Attribute("service_name", "bedrock.amazonaws.com")]
    if artifact.key_age_days is not None:
        body.append(Attribute("credential_age_days", artifact.key_age_days))
    warning = (
        "The key itself is kept in the state, readable to whoever reads that.\n"
        "Needs a provider that knows Bedrock API keys: hashicorp/terraform-provider-aws pull request 44299."
    )
    found.append(_resource("iam_service_specific_credential", label, *body, comment=warning))
    key = Expression(f"aws_iam_service_specific_credential.{label}.service_credential_secret")
    about = Attribute("description", "The Bedrock API key.")
    output = (about, Attribute("value", key), Attribute("sensitive", True))
    return [*found, Block("output", (f"{label}_api_key",), output)]


# --- pieces ----------------------------------------------------------------------------------------------------------


def _nested(kind: str, *body: Attribute | Block) -> Block:
    return Block(kind, (), body)


def _resource(kind: str, label: str, *body: Attribute, comment: str = "") -> Block:
    return Block("resource", (f"aws_{kind}", label), body, comment)


def _output(name: str, reference: str, about: str) -> Block:
    return Block("output", (name,), (Attribute("description", about), Attribute("value", Expression(reference))))


def _described(artifact: Artifact) -> list[Attribute]:
    return [Attribute("description", artifact.description)] if artifact.description else []


def _holders(artifact: Artifact) -> _Holders:
    """Who gets the policy; all three, with nothing in them, where nobody is named."""
    found = (("role", artifact.roles), ("user", artifact.users), ("group", artifact.groups))
    return tuple((kind, names) for kind, names in found if names) or found


def _each(artifact: Artifact, what: str, names: tuple[str, ...], about: str) -> tuple[Attribute, list[Block]]:
    """``for_each`` over the names, or over a variable where there are none."""
    if names:
        return Attribute("for_each", SetOf(names)), []
    name = f"{identifier(artifact.name)}_{what}"
    kind = Attribute("type", Keyword("set(string)"))
    variable = Block("variable", (name,), (Attribute("description", about), kind, Attribute("default", ())))
    return Attribute("for_each", Expression(f"var.{name}")), [variable]


def _given(value: str, name: str, about: str) -> tuple[Value, list[Block]]:
    """The value, or a variable without default where it is empty."""
    if value:
        return value, []
    body = (Attribute("description", about), Attribute("type", Keyword("string")))
    return Expression(f"var.{name}"), [Block("variable", (name,), body)]


_KINDS: Final[Mapping[Kind, Callable[[Artifact], list[Block]]]] = {
    Kind.IDENTITY: _identity,
    Kind.INLINE: _inline,
    Kind.BOUNDARY: _boundary,
    Kind.SCP: _scp,
    Kind.VPC_ENDPOINT: _vpc_endpoint,
    Kind.SESSION: _session,
    Kind.PERMISSION_SET: _permission_set,
    Kind.TRUST: _trust,
    Kind.LONG_TERM_KEY: _long_term_key,
}

TERRAFORM = Format(_terraform)
TERRAFORM_JSON = Format(_terraform_json)
