"""Stacks and the stacks nested in them: which file holds a nested one's template, and what it is given and gives.

Only files at or below the folder of the outermost template are opened; what is on the network is not.  Knows no policy.
Sources: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudformation-stack.html,
https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-resource-application.html,
https://docs.aws.amazon.com/cdk/v2/guide/assets.html (a CDK assembly says which of its files a nested template is, in
``aws:asset:path`` or, without asset metadata, in the list of assets beside the template).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from mantle_iam.collect.fields import text
from mantle_iam.collect.intrinsics import Template
from mantle_iam.collect.openers import STDIN, Opener
from mantle_iam.collect.places import TextError, decode_text, read_json
from mantle_iam.collect.yaml_text import read_yaml
from mantle_iam.iam.inventory import UNRESOLVED

NESTED: Final = {
    "AWS::CloudFormation::Stack": "TemplateURL",
    "AWS::Serverless::Application": "Location",
}
"""Types of nested stacks, and the property that says where their template is."""
_OF_CDK = ".template.json"
_DEEPEST = 10
_MOST = 500
_LARGEST = 20_000_000


def is_template(value: object) -> bool:
    """Whether it is a template: a format version, a transform, or resources that have types; or what `get-template` answers."""
    value = body_of(value)[0]
    if not isinstance(value, Mapping) or not isinstance(value.get("Resources"), Mapping):
        return False
    if "AWSTemplateFormatVersion" in value or "Transform" in value:
        return True
    return any("::" in text(resource, "Type") for resource in value["Resources"].values())


def body_of(value: object) -> tuple[Any, str]:
    """A template and its pointer; ``aws cloudformation get-template`` has it in ``TemplateBody``, as an object or as a text."""
    if not isinstance(value, Mapping) or "TemplateBody" not in value or "Resources" in value:
        return value, ""
    inner = value["TemplateBody"]
    try:
        return (_parsed(inner) if isinstance(inner, str) else inner), "/TemplateBody"
    except TextError:
        return None, ""


def _parsed(content: str) -> Any:
    return read_json(content) if content.lstrip()[:1] == "{" else read_yaml(content)


@dataclass(slots=True)
class Stack:
    """A template, where it was read, and the stacks nested in it."""

    template: Template
    value: Mapping[str, Any]
    path: str
    pointer: str
    root: str
    """Folder below which nested templates are looked for."""
    given: Mapping[str, Any]
    above: tuple[str, ...] = ()
    count: list[int] = field(default_factory=lambda: [0])
    """How many have been opened, together with all others of the outermost one."""
    _nested: dict[str, Stack | str] = field(default_factory=dict)

    def nested(self, key: str) -> Stack | str:
        """The stack nested as ``key``, or why it cannot be read."""
        if key not in self._nested:
            self._nested[key] = "it is made of what it gives"
            try:
                self._nested[key] = self._opened(key)
            except TextError as error:
                self._nested[key] = error.message
        return self._nested[key]

    def files(self) -> Iterator[str]:
        """Paths of the templates nested in it, however deep."""
        for inner in self._nested.values():
            if isinstance(inner, Stack):
                yield inner.path
                yield from inner.files()

    def output(self, key: str, name: str) -> Any:
        """What the stack nested as ``key`` gives by the ``name``."""
        inner = self.nested(key)
        found = inner.template.outputs.get(name) if isinstance(inner, Stack) else None
        if not isinstance(inner, Stack) or not isinstance(found, Mapping) or "Value" not in found:
            return UNRESOLVED
        return inner.template.resolved(found["Value"])

    def _opened(self, key: str) -> Stack:
        resource = self.template.resources[key]
        path = self._file(resource)
        where = os.path.realpath(path)
        self.count[0] += 1
        if where in self.above or len(self.above) > _DEEPEST or self.count[0] > _MOST:
            raise TextError("it holds itself, or there are too many")
        value = _parsed(decode_text(Opener(largest=_LARGEST).read(path)).text)
        if not is_template(value):
            raise TextError("it is no template")
        properties = self.template.resolved(resource.get("Properties") or {})
        given = {name: one for name, one in self.given.items() if name.startswith("AWS::") and name != "AWS::StackName"}
        own = properties.get("Parameters") if isinstance(properties, Mapping) else None
        if isinstance(own, Mapping):
            given |= {name: ",".join(map(str, one)) if isinstance(one, list) else one for name, one in own.items()}
        return opened(
            value, path, "", given, f"{self.template.prefix}{key}/", self.root, (*self.above, where), self.count
        )

    def _file(self, resource: Mapping[str, Any]) -> str:
        where = NESTED[text(resource, "Type")]
        name = text(resource.get("Metadata"), "aws:asset:path") or text(resource.get("Properties"), where)
        if not name or "://" in name:
            name = self._asset(self.template.resolved(resource.get("Properties")), where)
        if self.path == STDIN or not name or "\0" in name:
            raise TextError("it is not a file here")
        path = os.path.normpath(Path(self.path).parent / name)
        if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(self.root)):
            raise TextError("it is outside of the folder of the template")
        return path

    def _asset(self, properties: Any, where: str) -> str:
        """The file of a CDK assembly that will be what an address ends with; empty where there is none."""
        outermost = self.above[0]
        key = text(properties, where).rpartition("/")[2].removesuffix(".json")
        if not key or UNRESOLVED in key or not outermost.endswith(_OF_CDK):
            return ""
        try:
            assets = _parsed(
                decode_text(Opener(largest=_LARGEST).read(outermost.removesuffix(_OF_CDK) + ".assets.json")).text
            )
        except TextError:
            return ""
        files = assets.get("files") if isinstance(assets, Mapping) else None
        asset = files.get(key) if isinstance(files, Mapping) else None
        return text(asset.get("source") if isinstance(asset, Mapping) else None, "path")


def opened(
    value: Mapping[str, Any],
    path: str,
    pointer: str,
    given: Mapping[str, Any],
    prefix: str = "",
    root: str = "",
    above: tuple[str, ...] = (),
    count: list[int] | None = None,
) -> Stack:
    """The stack that ``value`` describes, with ``given`` for its parameters; the arguments after these are for nested ones."""
    stack: Stack

    def output(key: str, name: str) -> Any:
        return stack.output(key, name)

    template = Template(value, given, prefix, output)
    above = above or (os.path.realpath(path),)
    stack = Stack(template, value, path, pointer, root or str(Path(path).parent), given, above, count or [0])
    return stack
