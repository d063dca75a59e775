"""One call on its way through the emulator, and the reading of its body.  No policy, no socket."""

from __future__ import annotations

import json
from dataclasses import dataclass
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any

from mantle_iam.emulator.directory import Caller
from mantle_iam.emulator.http import Request, invalid
from mantle_iam.emulator.world import Account, Project
from mantle_iam.mantle.operations import AuthMethod, Operation

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Body:
    """A request body, as far as it could be read."""

    fields: Json
    problem: str | None = None
    """Why it is not a JSON object, in the service's words (E28)."""
    files: tuple[tuple[str, str, bytes], ...] = ()
    """Parts of a multipart form that are files: field, file name, content."""

    def text(self, name: str) -> str | None:
        """The string ``name``, or ``None`` when it is absent or something else."""
        value = self.fields.get(name)
        return value if isinstance(value, str) else None


@dataclass(frozen=True, slots=True)
class Call:
    """An authenticated call of an operation."""

    request: Request
    operation: Operation
    parameter: str
    """What stands for ``{id}`` or ``{model}`` in the path; empty when there is none."""
    body: Body
    caller: Caller
    auth: AuthMethod
    account: Account
    project_id: str
    """From the header, or ``default``; for a call on one project, that of the path."""
    region: str
    models: tuple[str, ...]
    now: int

    @property
    def project_arn(self) -> str:
        """What the call is authorised on."""
        return self.account.project_arn(self.project_id)

    @property
    def project(self) -> Project | None:
        """The project, if it exists."""
        return self.account.projects.get(self.project_id)

    @property
    def model(self) -> str | None:
        """The model that the body names."""
        return self.body.text("model")

    def json(self) -> Json:
        """The body.  Raises ``ServiceError`` (E28) when it is no JSON object."""
        if self.body.problem is not None:
            raise invalid(self.body.problem)
        return self.body.fields


def read_body(request: Request) -> Body:
    """The body of ``request``: JSON, or a multipart form."""
    content_type = request.header("content-type") or ""
    if content_type.lower().startswith("multipart/form-data"):
        return _multipart(content_type, request.body)
    if not request.body:
        return Body({}, _deserialize("EOF while parsing a value at line 1 column 0"))
    try:
        value = json.loads(request.body)
    except json.JSONDecodeError as error:
        return Body(
            {}, f"Failed to parse the request body as JSON: {error.msg} at line {error.lineno} column {error.colno}"
        )
    except (ValueError, RecursionError):
        return Body({}, "Failed to parse the request body as JSON: it is not UTF-8, or nested too deeply")
    if not isinstance(value, dict):
        return Body({}, _deserialize("invalid type: expected a map at line 1 column 1"))
    return Body(value)


def missing_field(name: str) -> str:
    """The service's sentence for a field that must be there."""
    return _deserialize(f"missing field `{name}`")


def _deserialize(detail: str) -> str:
    return f"Failed to deserialize the JSON body into the target type: {detail}"


def _multipart(content_type: str, body: bytes) -> Body:
    head = f"content-type: {content_type}\r\n\r\n".encode("latin-1", "replace")
    message = BytesParser(policy=HTTP).parsebytes(head + body)
    fields: Json = {}
    files = []
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        if not isinstance(name, str) or not isinstance(content, bytes):
            continue
        filename = part.get_filename()
        if filename is None:
            fields[name] = content.decode("utf-8", "replace")
        else:
            files.append((name, filename, content))
    return Body(fields, None, tuple(files))
