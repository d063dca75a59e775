"""CloudFormation and SAM templates: their IAM resources, and those of the stacks nested in them.

Functions are resolved as far as the template and its parameters go; what a macro, an include, a module or a stack elsewhere adds
is unknown, never absent.  ``template_resources`` and ``serverless`` know the types.
Sources: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-anatomy.html,
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/transform-reference.html
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any, Final

from mantle_iam.collect import serverless, template_resources
from mantle_iam.collect.declared import Declared
from mantle_iam.collect.fields import Notes, text
from mantle_iam.collect.stacks import NESTED, Stack, body_of, opened
from mantle_iam.collect.stacks import is_template as is_template
from mantle_iam.collect.template_resources import WITHOUT_POLICIES, Reader, Resource, mentioned
from mantle_iam.iam.inventory import UNRESOLVED, Place

_READERS: Final[Mapping[str, Reader]] = {**template_resources.READERS, **serverless.READERS}
_ELSEWHERE = frozenset(
    {
        "AWS::CloudFormation::StackSet",
        "AWS::ServiceCatalog::CloudFormationProvisionedProduct",
    }
)
_TRANSFORMS = ("AWS::Serverless-", "AWS::LanguageExtensions", "AWS::CodeDeployBlueGreen", "AWS::SecretsManager-")
"""Those whose results are known here, or hold no policy."""
_MACRO = "Fn::Transform"


def read_template(
    value: Mapping[str, Any], path: str, pointer: str, parameters: Mapping[str, str], notes: Notes
) -> Declared:
    """What the template (or an answer of ``get-template`` that holds it) would make."""
    body, inside = body_of(value)
    stack = opened(body, path, pointer + inside, parameters)
    declared = Declared(account=stack.template.account, partition=stack.template.partition)
    _read(stack, declared, notes, certain=True)
    declared.folders = frozenset(map(os.path.normpath, stack.files()))
    return declared


def _read(stack: Stack, declared: Declared, notes: Notes, *, certain: bool) -> None:
    template = stack.template
    before = set(declared.owners)
    for key, (found, at) in template.places.items():
        if key.startswith("Fn::"):
            continue  # told with the loops or the macros
        address = template.prefix + key
        kind = text(found, "Type")
        holds = template.holds(found.get("Condition")) if kind and "Condition" in found else True
        if not kind:
            notes.add("a resource without a type", address)
        elif kind not in _READERS and kind not in NESTED:
            _other(kind, address, found, notes)
        elif holds is False:
            notes.add("resources whose condition does not hold were not looked at", address, partial=False)
        elif kind in NESTED:
            _read_nested(stack, key, declared, notes, certain=certain and holds is True)
        else:
            if holds is None:
                message = "whether a resource is there depends on a condition that is not known"
                notes.add(message, address, documents=False)
            _read_one(_resource(stack, key, found, at, certain and holds is True, notes), kind, declared, notes)
    for loop in template.loops:
        notes.add("a loop (`Fn::ForEach`) over what is not known was not followed", template.prefix + loop)
    if _changed_by_macros(stack, notes):
        declared.incomplete |= set(declared.owners) - before


def _read_nested(stack: Stack, key: str, declared: Declared, notes: Notes, *, certain: bool) -> None:
    inner = stack.nested(key)
    if isinstance(inner, Stack):
        _read(inner, declared, notes, certain=certain)
    else:
        notes.add(f"a nested stack was not read: {inner}", stack.template.prefix + key, documents=False)
        # Whom it is told about, it may give something.
        declared.incomplete.update(mentioned(stack.template, stack.template.resources[key]))


def _read_one(resource: Resource, kind: str, declared: Declared, notes: Notes) -> None:
    included = _MACRO in resource.written
    before = set(declared.owners) if included else set()
    _READERS[kind](resource, declared, notes)
    if included:
        declared.incomplete |= set(declared.owners) - before


def _resource(stack: Stack, key: str, found: Mapping[str, Any], at: str, certain: bool, notes: Notes) -> Resource:
    template = stack.template
    address = template.prefix + key
    written = serverless.with_globals(text(found, "Type"), found.get("Properties") or {}, stack.value)
    written = written if isinstance(written, Mapping) else {}
    if _MACRO in written:
        notes.add("what a macro or an include adds to a resource is not known", address, documents=False)
    properties = template.resolved({name: one for name, one in written.items() if name != _MACRO})
    if not isinstance(properties, Mapping):
        notes.add("the properties of a resource are not known", address)
        properties = {}
    return Resource(
        key, properties, written, Place(stack.path, address=address, pointer=stack.pointer + at), certain, template
    )


def _other(kind: str, address: str, found: Mapping[str, Any], notes: Notes) -> None:
    """A resource of which there is no reader: whether policies may be missed with it."""
    if kind in _ELSEWHERE or kind.endswith("::MODULE"):
        notes.add(f"what is in a `{kind}` was not looked at", address, documents=False)
    elif kind.startswith(("AWS::IAM::", "AWS::Organizations::", "AWS::SSO::")) and kind not in WITHOUT_POLICIES:
        notes.add(f"resources of type `{kind}` are not understood", address)
    elif kind.startswith("AWS::Serverless::") and "Policies" in str(found.get("Properties")):
        notes.add(f"policies of type `{kind}` are not understood", address)


def _changed_by_macros(stack: Stack, notes: Notes) -> bool:
    """Whether macros that are not known here may add to what the template says."""
    given = stack.value.get("Transform")
    names = [*_named(given if isinstance(given, list) else [given])]
    sections = [section for section in (stack.value, stack.value.get("Resources")) if isinstance(section, Mapping)]
    names += _named([section[_MACRO] for section in sections if _MACRO in section])
    unknown = [name for name in names if not name.startswith(_TRANSFORMS)]
    for name in unknown:
        message = "what a macro or an include changes is not known: give what `get-template --template-stage Processed` answers"
        notes.add(message, stack.template.prefix + name, documents=False)
    return bool(unknown)


def _named(transforms: list[Any]) -> Iterator[str]:
    for one in transforms:
        if one is not None:
            yield one if isinstance(one, str) else text(one, "Name") or UNRESOLVED
