"""Every remedy does what it says: applied to the document, the finding is gone and nothing new has come."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from lint_tables import Case, cases

from mantle_iam.audit.findings import Finding, Severity

Document = dict[str, Any]
Apply = Callable[[Document, Finding], None]
CODE = re.compile(r"`([^`]+)`")


def named(finding: Finding) -> list[str]:
    """What the remedy has in backticks."""
    return CODE.findall(finding.remedy)


def statement_of(document: Document, finding: Finding) -> Document:
    assert finding.statement is not None
    listed = document["Statement"]
    return listed[finding.statement] if isinstance(listed, list) else listed


def element(finding: Finding) -> list[str]:
    """The pointer below the statement, its escapes undone."""
    return [each.replace("~1", "/").replace("~0", "~") for each in finding.place.pointer.split("/")[3:]]


def listed(statement: Document, name: str) -> list[Any]:
    value = statement[name]
    if not isinstance(value, list):
        statement[name] = [value]
    return statement[name]


def add_statement(document: Document, **fields: Any) -> None:
    if not isinstance(document["Statement"], list):
        document["Statement"] = [document["Statement"]]
    document["Statement"].append(fields)


def replace_element(document: Document, finding: Finding, text: str) -> None:
    name, index = element(finding)
    listed(statement_of(document, finding), name)[int(index)] = text


def write_element(document: Document, finding: Finding) -> None:
    replace_element(document, finding, named(finding)[0])


def write_what_was_meant(document: Document, finding: Finding) -> None:
    """An action, or an operator."""
    if element(finding)[0] == "Condition":
        use_operator(document, finding)
    else:
        write_element(document, finding)


def resource(document: Document, finding: Finding) -> None:
    """``use `"Resource": …```, or the same for the one action in a statement of its own."""
    if finding.remedy == "take it out":
        take_out_action(document, finding)
        return
    statement, name, index = statement_of(document, finding), *element(finding)
    wanted = json.loads("{" + named(finding)[0] + "}")
    if finding.remedy.startswith("use "):
        statement.pop("NotResource", None)
        statement.update(wanted)
        return
    action = listed(statement, name).pop(int(index))
    add_statement(
        document, **{**{key: value for key, value in statement.items() if key != "Sid"}, name: action, **wanted}
    )


def take_out_action(document: Document, finding: Finding) -> None:
    statement, name, index = statement_of(document, finding), *element(finding)
    if len(listed(statement, name)) == 1:
        document["Statement"].remove(statement)
    else:
        statement[name].pop(int(index))


def rename_operator(document: Document, finding: Finding, text: str) -> None:
    _, operator, key = element(finding)
    conditions = statement_of(document, finding)["Condition"]
    value = conditions[operator].pop(key)
    if not conditions[operator]:
        del conditions[operator]
    conditions.setdefault(text, {})[key] = value


def use_operator(document: Document, finding: Finding) -> None:
    rename_operator(document, finding, named(finding)[0])


def write_key(document: Document, finding: Finding) -> None:
    _, operator, key = element(finding)
    keys = statement_of(document, finding)["Condition"][operator]
    keys[named(finding)[-1]] = keys.pop(key)


def write_value(document: Document, finding: Finding) -> None:
    _, operator, key = element(finding)
    wrong = CODE.findall(finding.message)[0]
    values = listed(statement_of(document, finding)["Condition"][operator], key)
    at = next(index for index, each in enumerate(values) if each.strip() == wrong.strip())
    values[at] = named(finding)[0]


def not_carried(document: Document, finding: Finding) -> None:
    statement = statement_of(document, finding)
    carried = [name for name in named(finding) if name.partition(":")[0] == "bedrock-mantle"]
    if finding.remedy.startswith("use its own key"):
        own_key(document, finding)
    elif finding.remedy.startswith("the key of Mantle"):
        write_key(document, finding)
    elif finding.remedy.startswith("name what carries it"):
        statement["Action"] = carried
    elif "IfExists" in finding.remedy:
        use_operator(document, finding)
    elif statement["Effect"] == "Deny" and not finding.remedy.startswith("take it out: "):
        gone = {name.lower() for name in CODE.findall(finding.message)[:-1]}
        statement["Action"] = [each for each in listed(statement, "Action") if each.lower() not in gone]
        if not statement["Action"]:
            document["Statement"].remove(statement)
    else:
        without_condition(document, finding)


def without_condition(document: Document, finding: Finding) -> None:
    statement = statement_of(document, finding)
    _, operator, key = element(finding)
    del statement["Condition"][operator][key]
    if not any(statement["Condition"].values()):
        del statement["Condition"]


def own_key(document: Document, finding: Finding) -> None:
    """One of the twin actions goes into a statement of its own, with the key that its name begins."""
    key = named(finding)[0]
    statement = statement_of(document, finding)
    _, operator, wrong = element(finding)
    action = f"{key.partition(':')[0]}:CallWithBearerToken"
    values = statement["Condition"][operator][wrong]
    kept = [each for each in listed(statement, "Action") if each.lower() != action.lower()]
    other = {name: value for name, value in statement.items() if name != "Sid"}
    add_statement(document, **{**other, "Action": action, "Condition": {operator: {key: values}}})
    statement["Action"] = kept
    if not kept:
        document["Statement"].remove(statement)


def negated(document: Document, finding: Finding) -> None:
    statement = statement_of(document, finding)
    if finding.remedy.startswith("use its own key"):
        own_key(document, finding)
    elif finding.remedy.startswith("deny only"):
        statement.pop("NotAction", None)
        statement["Action"] = named(finding)
    elif "as `Resource`" in finding.remedy:
        statement["Resource"] = named(finding)[0]
    else:
        without_condition(document, finding)


def deny_too(document: Document, finding: Finding) -> None:
    statement = statement_of(document, finding)
    name = named(finding)[0]
    if finding.remedy.startswith("add"):
        listed(statement, "NotAction").append(name)
    elif "with its own key" in finding.remedy:
        key, conditions = named(finding)[1], statement["Condition"]
        own = {operator: {key: next(iter(keys.values()))} for operator, keys in conditions.items()}
        add_statement(document, Effect="Deny", Action=name, Resource="*", Condition=own)
    else:
        add_statement(document, Effect="Deny", Action=name, Resource="*")


def add_condition(document: Document, finding: Finding) -> None:
    found = re.search(r'"Condition": (\{.*\})', finding.remedy)
    assert found is not None
    statement_of(document, finding)["Condition"] = json.loads(found[1])


def allow(document: Document, finding: Finding) -> None:
    statement = statement_of(document, finding)
    where = "*" if '"Resource": "*"' in finding.remedy else statement.get("Resource", "*")
    principal = {"Principal": "*"} if "Principal" in statement else {}
    add_statement(document, Effect="Allow", Action=named(finding)[0], Resource=where, **principal)


def add_action(document: Document, finding: Finding) -> None:
    listed(statement_of(document, finding), "Action").append(named(finding)[0])


def add_resource(document: Document, finding: Finding) -> None:
    listed(statement_of(document, finding), "Resource").extend(
        name for name in named(finding) if name.startswith("arn:")
    )


def version(document: Document, finding: Finding) -> None:
    document.update(json.loads("{" + finding.remedy.removeprefix("add ") + "}"))


APPLY: dict[str, Apply] = {
    "policy-grammar": write_what_was_meant,
    "unknown-action": write_element,
    "mantle-action-on-model-arn": resource,
    "bearer-token-on-resource": resource,
    "account-action-on-resource": resource,
    "wrong-resource-type": resource,
    "list-of-projects-on-one-project": resource,
    "resource-never-matches": write_element,
    "missing-second-arn": add_resource,
    "condition-key-not-carried": not_carried,
    "negated-condition-missing-key": negated,
    "unknown-condition-key": write_key,
    "set-operator-mismatch": use_operator,
    "impossible-condition-value": write_value,
    "model-id-with-prefix": write_value,
    "wildcard-taken-literally": use_operator,
    "half-covered-key-denial": deny_too,
    "twin-service-forgotten": deny_too,
    "key-age-limit-misses-endless-keys": use_operator,
    "key-without-bearer-token-permission": allow,
    "list-projects-without-tags": allow,
    "tagged-projects-without-tag-permission": add_action,
    "marketplace-without-called-via": add_condition,
    "pass-role-without-service": add_condition,
    "trust-without-source": add_condition,
    "variables-without-version": version,
}
# What a person has to decide: which actions, which documents, which regions.
BY_HAND = {
    "full-access",
    "not-resource-refuses-key-use",
    "policy-too-large",
    "wildcard-reaches-less",
    "requested-region",
    "inverted-denial",
    "allow-in-control-policy",
    "resource-control-policy-names-mantle",
}
FOLLOWS = {
    "bearer-token-on-resource": {"half-covered-key-denial"},  # a Deny that now works, of one of the twins
    "negated-condition-missing-key": {"half-covered-key-denial"},
    "unknown-condition-key": {"negated-condition-missing-key"},  # a key that there is, on an action without it
}
"""What may come to light when the first fault of two is mended."""
OPEN = (
    "take the denial out",
    "use one of these values",
    "look the action up",
    "the keys are",
    "use `StringEquals` or `StringLike`",
    "by the region",
)
"""Remedies of other rules that leave the choice to the reader."""


def bad(found: tuple[Finding, ...]) -> set[str]:
    return {each.rule for each in found if each.severity is not Severity.INFO}


def applied(case: Case) -> tuple[Document, int]:
    """The document after every remedy of the case's rule that can be applied, one by one."""
    document, count = copy.deepcopy(case.document), 0
    while count < 12 and (todo := left(case, case.found(document))):
        APPLY[case.rule](document, todo[0])
        count += 1
    return document, count


def left(case: Case, found: tuple[Finding, ...]) -> list[Finding]:
    """Findings of the case's rule whose remedy can be applied."""
    return [
        each
        for each in found
        if each.rule == case.rule and each.remedy and not any(words in each.remedy for words in OPEN)
    ]


FIRES = [case for case in cases() if case.fires and case.rule in APPLY]


@pytest.mark.parametrize("case", [pytest.param(case, id=str(case)) for case in FIRES])
def test_remedy(case: Case) -> None:
    document, count = applied(case)
    assert count or not left(case, case.found())
    after = case.found(document)
    assert not left(case, after)
    assert bad(after) <= bad(case.found()) | FOLLOWS.get(case.rule, set()), document


def test_every_rule_has_a_remedy_that_was_applied() -> None:
    done = {case.rule for case in FIRES if applied(case)[1]}
    assert done == set(APPLY)
    assert set(APPLY) | BY_HAND == {case.rule for case in cases()}
    # Every finding says what to do, but for grammar, which says what cannot be.
    silent = {each.rule for case in cases() for each in case.found() if not each.remedy}
    assert silent <= {"policy-grammar"}
