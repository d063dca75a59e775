"""The schema of Terraform's AWS provider, read out of the package ``cdktn-provider-aws``.

    python aws_schema.py OUT.json aws_iam_policy data.aws_iam_policy_document …

The package is generated from the provider's own schema: each resource is a JavaScript module that states, for every argument,
whether it is computed, optional or required, and of which type it is.  The schema that is written to OUT.json is the part of
``terraform providers schema -json`` that a plan needs.  It is derived when tests run and kept nowhere.

An argument whose type the modules do not state (a computed list of objects) is left out.
"""

from __future__ import annotations

import json
import re
import sys
import tarfile
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

_ARGUMENT = re.compile(
    r'^ +"?(?P<name>\w+)"?: \{\n +value: (?P<value>.+),\n +isBlock: (?P<block>true|false),\n'
    r' +type: "(?P<type>\w+)",\n +storageClassType: "(?P<of>\w+)",',
    re.MULTILINE,
)
_FLAGS = re.compile(
    r"^    // (?P<name>\w+) - computed: (?P<computed>true|false), optional: (?P<optional>true|false),"
    r" required: (?P<required>true|false)$",
    re.MULTILINE,
)
_PRIMITIVE = {"string": "string", "number": "number", "boolean": "bool"}
_GETTERS = {
    # How a computed attribute that is no argument is read, and so of which type it is.
    "getStringAttribute": "string",
    "getNumberAttribute": "number",
    "getBooleanAttribute": "bool",
    "getListAttribute": ["list", "string"],
    "getStringMapAttribute": ["map", "string"],
}


class _Module:
    """One module: its functions and classes by name."""

    def __init__(self, text: str) -> None:
        self.sections = dict(_sections(text.split("//# sourceMappingURL")[0]))
        if "tfResourceType" not in text:
            raise ValueError("the module is of no resource")

    def main(self) -> str:
        return next(body for body in self.sections.values() if "tfResourceType" in body)

    def schema(self) -> dict[str, Any]:
        main = self.main()
        arguments = main[main.index("synthesizeHclAttributes()") :]
        return {"version": 0, "block": self._block(arguments, main)}

    def _block(self, arguments: str, owner: str) -> dict[str, Any]:
        known = {found["name"]: found for found in _ARGUMENT.finditer(arguments)}
        attributes: dict[str, Any] = {}
        blocks: dict[str, Any] = {}
        for name, flags, accessor in _flags(owner):
            argument = known.get(name)
            if argument is not None and argument["block"] == "true":
                blocks[name] = self._nested(argument, flags)
                continue
            kind = _type(argument) if argument is not None else _type_of_getter(accessor)
            if kind is not None:
                attributes[name] = {"type": kind, **{flag: True for flag, set_ in flags.items() if set_}}
        return {"attributes": attributes, **({"block_types": blocks} if blocks else {})}

    def _nested(self, argument: re.Match[str], flags: dict[str, bool]) -> dict[str, Any]:
        found = re.search(r"(\w+)ToHclTerraform", argument["value"])
        if found is None:
            raise ValueError(f"the block `{argument['name']}` names no function")
        name = found[1]
        inner = self._block(
            self.sections[f"{name}ToHclTerraform"], self.sections[f"{name[0].upper()}{name[1:]}OutputReference"]
        )
        mode = "single" if argument["type"] == "struct" else argument["type"]
        return {"nesting_mode": mode, "min_items": int(flags["required"] and mode != "single"), "block": inner}


def _sections(text: str) -> Iterator[tuple[str, str]]:
    """Functions and classes at the top of a module, by name; each ends with a line ``}``."""
    for part in re.split(r"^(?=function |class )", text, flags=re.MULTILINE)[1:]:
        yield part.split(maxsplit=2)[1].split("(")[0], part.split("\n}\n")[0]


def _flags(owner: str) -> Iterator[tuple[str, dict[str, bool], str]]:
    """Name, flags and accessors of each attribute of a class."""
    found = list(_FLAGS.finditer(owner))
    for number, match in enumerate(found):
        end = found[number + 1].start() if number + 1 < len(found) else len(owner)
        flags = {flag: match[flag] == "true" for flag in ("computed", "optional", "required")}
        yield match["name"], flags, owner[match.end() : end]


def _type(argument: re.Match[str]) -> Any:
    of = argument["of"]
    if argument["type"] == "simple":
        return _PRIMITIVE[of]
    collection = argument["type"]
    element = _PRIMITIVE.get(of.removesuffix("List").removesuffix("Map"))
    return [collection, element] if element else None


def _type_of_getter(accessor: str) -> Any:
    return next((kind for getter, kind in _GETTERS.items() if f"this.{getter}(" in accessor), None)


def schema(names: list[str]) -> dict[str, Any]:
    """The schema of the named resources; a data source has ``data.`` before its name."""
    package = distribution("cdktn-provider-aws")
    (archive,) = [file for file in package.files or () if file.name.endswith(".jsii.tgz")]
    # aws_iam_policy is in lib/iam-policy/, data.aws_iam_policy_document in lib/data-aws-iam-policy-document/.
    wanted = {
        f"package/lib/{name.replace('data.aws', 'data-aws').removeprefix('aws_').replace('_', '-')}/index.js": name
        for name in names
    }
    found: dict[str, Any] = {"provider_version": None, "resource_schemas": {}, "data_source_schemas": {}}
    with tarfile.open(str(archive.locate())) as opened:
        for member in opened:
            name = wanted.pop(member.name, None)
            if name is None:
                continue
            stream = opened.extractfile(member)
            text = stream.read().decode("utf-8") if stream else ""
            place = found["data_source_schemas" if name.startswith("data.") else "resource_schemas"]
            place[name.removeprefix("data.")] = _Module(text).schema()
            version = re.search(r"providerVersion: '([^']+)'", text)
            found["provider_version"] = version[1] if version else found["provider_version"]
            if not wanted:
                return found
    raise SystemExit(f"the provider has no {', '.join(wanted.values())}")


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(schema(sys.argv[2:]), indent=1, sort_keys=True), "utf-8")
