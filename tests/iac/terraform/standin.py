"""A stand-in for Terraform's AWS provider: its schema, and nothing behind it.

    python standin.py SCHEMA.json SOCKET

Serves the plugin protocol, version 6, on a Unix socket until its standard input ends.  The first line of its output is what
Terraform wants in ``TF_REATTACH_PROVIDERS``.  It validates what a schema can; plans every resource as to be made; and renders
``aws_iam_policy_document`` as the provider documents it.  It calls nothing.

What it cannot know are the real provider's further validators (lengths and patterns of names); of those it has two, since a
policy is what it is for: an argument that takes a policy must be JSON, and a ``sid`` must be the only one of its name.

Sources: https://developer.hashicorp.com/terraform/plugin/terraform-plugin-protocol,
https://registry.terraform.io/providers/hashicorp/aws/latest/docs/data-sources/iam_policy_document
"""

from __future__ import annotations

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
from tf.gen import tfplugin_pb2 as wire
from tf.gen import tfplugin_pb2_grpc as service
from tf.types import Unknown
from tf.utils import read_dynamic_value, to_dynamic_value

ADDRESS = "registry.terraform.io/hashicorp/aws"
_POLICIES = ("assume_role_policy", "content", "inline_policy", "policy")
_NESTING = {"single": 1, "list": 2, "set": 3, "map": 4, "group": 5}
_ELEMENTS = (
    ("actions", "Action"),
    ("not_actions", "NotAction"),
    ("resources", "Resource"),
    ("not_resources", "NotResource"),
)


class Provider(service.ProviderServicer):  # type: ignore[misc]
    """The service that Terraform calls."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self._resources: dict[str, Any] = schema["resource_schemas"]
        self._data: dict[str, Any] = schema["data_source_schemas"]

    def GetProviderSchema(self, request: Any, context: Any) -> Any:
        return wire.GetProviderSchema.Response(
            provider=wire.Schema(version=0, block=wire.Schema.Block()),
            provider_meta=wire.Schema(version=0, block=wire.Schema.Block()),
            resource_schemas={name: _schema(each) for name, each in self._resources.items()},
            data_source_schemas={name: _schema(each) for name, each in self._data.items()},
        )

    def ValidateProviderConfig(self, request: Any, context: Any) -> Any:
        return wire.ValidateProviderConfig.Response()

    def ConfigureProvider(self, request: Any, context: Any) -> Any:
        return wire.ConfigureProvider.Response()

    def ValidateResourceConfig(self, request: Any, context: Any) -> Any:
        given = read_dynamic_value(request.config)
        wrong = [
            _error(f'"{name}" contains an invalid JSON policy') for name in _POLICIES if not _is_json(given.get(name))
        ]
        return wire.ValidateResourceConfig.Response(diagnostics=wrong)

    def ValidateDataResourceConfig(self, request: Any, context: Any) -> Any:
        return wire.ValidateDataResourceConfig.Response()

    def UpgradeResourceState(self, request: Any, context: Any) -> Any:
        state = to_dynamic_value(json.loads(request.raw_state.json))
        return wire.UpgradeResourceState.Response(upgraded_state=state)

    def ReadResource(self, request: Any, context: Any) -> Any:
        return wire.ReadResource.Response(new_state=request.current_state)

    def PlanResourceChange(self, request: Any, context: Any) -> Any:
        planned = read_dynamic_value(request.proposed_new_state)
        if planned is None:
            return wire.PlanResourceChange.Response(planned_state=request.proposed_new_state)
        for name, attribute in self._resources[request.type_name]["block"]["attributes"].items():
            if attribute.get("computed") and planned.get(name) is None:
                planned[name] = Unknown
        return wire.PlanResourceChange.Response(planned_state=to_dynamic_value(planned))

    def ReadDataSource(self, request: Any, context: Any) -> Any:
        state = read_dynamic_value(request.config)
        if request.type_name == "aws_iam_policy_document":
            sids = [each["sid"] for each in state["statement"] or () if each.get("sid")]
            if len(set(sids)) < len(sids):
                return wire.ReadDataSource.Response(diagnostics=[_error("duplicate Sid")])
            _read_document(state)
        else:
            for name, attribute in self._data[request.type_name]["block"]["attributes"].items():
                if attribute.get("computed") and state.get(name) is None:
                    state[name] = _some(name, attribute["type"])
        return wire.ReadDataSource.Response(state=to_dynamic_value(state))

    def StopProvider(self, request: Any, context: Any) -> Any:
        return wire.StopProvider.Response()


def _schema(schema: dict[str, Any]) -> Any:
    return wire.Schema(version=schema["version"], block=_block(schema["block"]))


def _block(block: dict[str, Any]) -> Any:
    attributes = [
        wire.Schema.Attribute(
            name=name,
            type=json.dumps(each["type"]).encode(),
            **{flag: each.get(flag, False) for flag in ("computed", "optional", "required")},
        )
        for name, each in block["attributes"].items()
    ]
    nested = [
        wire.Schema.NestedBlock(
            type_name=name,
            nesting=_NESTING[each["nesting_mode"]],
            min_items=each["min_items"],
            block=_block(each["block"]),
        )
        for name, each in block.get("block_types", {}).items()
    ]
    return wire.Schema.Block(attributes=attributes, block_types=nested)


def _error(summary: str) -> Any:
    return wire.Diagnostic(severity=wire.Diagnostic.ERROR, summary=summary)


def _is_json(value: Any) -> bool:
    if not isinstance(value, str):
        return True  # not given, or not known yet
    try:
        json.loads(value)
    except ValueError:
        return False
    return True


def _some(name: str, kind: Any) -> Any:
    """A value for an attribute that only AWS could tell."""
    match kind:
        case "string":
            return f"some-{name}"
        case "number":
            return 1
        case "bool":
            return True
        case ["map", _]:
            return {}
        case [_, element]:
            return [_some(name, element)]
    raise ValueError(kind)


# --- aws_iam_policy_document -----------------------------------------------------------------------------------------


def _read_document(state: dict[str, Any]) -> None:
    state["version"] = state.get("version") or "2012-10-17"
    for statement in state["statement"] or ():
        statement["effect"] = statement.get("effect") or "Allow"
    written: dict[str, Any] = {"Version": state["version"]}
    if state.get("policy_id"):
        written["Id"] = state["policy_id"]
    written["Statement"] = [_statement(each) for each in state["statement"] or ()]
    state["json"] = json.dumps(written, indent=2)
    state["minified_json"] = json.dumps(written, separators=(",", ":"))
    state["id"] = "1"


def _statement(given: dict[str, Any]) -> dict[str, Any]:
    written: dict[str, Any] = {}
    if given.get("sid"):
        written["Sid"] = given["sid"]
    written["Effect"] = given["effect"]
    written |= {element: _values(given[name]) for name, element in _ELEMENTS if given.get(name)}
    for name, element in (("principals", "Principal"), ("not_principals", "NotPrincipal")):
        if given.get(name):
            written[element] = _principals(given[name])
    for condition in given.get("condition") or ():
        keys = written.setdefault("Condition", {}).setdefault(condition["test"], {})
        keys.setdefault(condition["variable"], []).extend(map(_variables, condition["values"]))
    for keys in written.get("Condition", {}).values():
        for key, values in keys.items():
            keys[key] = values[0] if len(values) == 1 else values
    return written


def _principals(given: list[dict[str, Any]]) -> Any:
    if [(each["type"], each["identifiers"]) for each in given] == [("*", ["*"])]:
        return "*"
    return {each["type"]: _values(each["identifiers"]) for each in given}


def _values(values: list[str]) -> Any:
    ordered = sorted(map(_variables, values), reverse=True)
    return ordered[0] if len(ordered) == 1 else ordered


def _variables(text: str) -> str:
    # The provider's own way of writing IAM's `${` where Terraform would interpolate.
    return text.replace("&{", "${")


def main() -> None:
    schema_file, socket = sys.argv[1:]
    server = grpc.server(ThreadPoolExecutor(max_workers=8))
    service.add_ProviderServicer_to_server(Provider(json.loads(Path(schema_file).read_text("utf-8"))), server)
    server.add_insecure_port(f"unix://{socket}")
    server.start()
    address = {"Network": "unix", "String": socket}
    reattach = {"Protocol": "grpc", "ProtocolVersion": 6, "Pid": os.getpid(), "Test": True, "Addr": address}
    print(json.dumps({ADDRESS: reattach}), flush=True)
    sys.stdin.read()
    server.stop(grace=None)


if __name__ == "__main__":
    main()
