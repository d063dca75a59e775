"""The emulated endpoint: a request in, an answer out.  No socket, no clock, no store of identities of its own.

Order: routing, authentication, authorisation, then whatever the operation checks.  That routing comes first and that the checks
come after authorisation was observed; that an unknown project is told only to those who may use it is the emulator's choice.
Every call is authorised by ``iam.evaluation`` on the policies that ``policies_of`` returns.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import count

from mantle_iam.emulator import control, inference
from mantle_iam.emulator.authn import Authenticated, authenticate
from mantle_iam.emulator.authorization import first_denial
from mantle_iam.emulator.call import Call, read_body
from mantle_iam.emulator.directory import Caller, Directory
from mantle_iam.emulator.http import NoRoute, Request, Response, ServiceError, denied, error_response
from mantle_iam.emulator.world import DEFAULT_PROJECT, World
from mantle_iam.iam.arn import Arn
from mantle_iam.iam.request import PolicySet
from mantle_iam.mantle.denial import write_denial
from mantle_iam.mantle.operations import Operation, match_operation

PROJECT_HEADERS = ("openai-project", "anthropic-workspace")
AGENTS = "Bedrock Managed Agents is not available for this account."


class DenialStyle(StrEnum):
    """How a refusal by policy is dressed; all three were met."""

    UNAUTHORIZED = "401"
    FORBIDDEN = "403"
    BARE_NOT_FOUND = "bare-404"
    """A 404 without a body, as in the article of December 2025 that this project starts from; not seen since."""


class WrongPathStyle(StrEnum):
    """How a model on the wrong base path is answered."""

    NOT_SUPPORTED = "400"
    BERM = "401"
    """``Berm is not enabled for this account``, as in mid-2026."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How the endpoint behaves."""

    region: str = "us-east-1"
    denial_style: DenialStyle = DenialStyle.FORBIDDEN
    wrong_path_style: WrongPathStyle = WrongPathStyle.NOT_SUPPORTED


PoliciesOf = Callable[[Caller], PolicySet]
Handler = Callable[[Call], Response]
ModelHandler = Callable[[Call, str], Response]

_HANDLERS: dict[str, Handler] = {
    "list-models": control.list_models,
    "get-model": control.get_model,
    "get-response": inference.get_response,
    "get-response-openai": inference.get_response,
    "cancel-response": inference.cancel_response,
    "cancel-response-openai": inference.cancel_response,
    "delete-response": inference.delete_response,
    "delete-response-openai": inference.delete_response,
    "list-files": control.list_files,
    "create-file": control.create_file,
    "get-file": control.get_file,
    "get-file-content": control.get_file_content,
    "delete-file": control.delete_file,
    "list-fine-tuning-jobs": control.list_jobs,
    "create-fine-tuning-job": control.create_job,
    "get-fine-tuning-job": control.get_job,
    "list-fine-tuning-events": control.list_job_parts,
    "list-fine-tuning-checkpoints": control.list_job_parts,
    "cancel-fine-tuning-job": control.cancel_job,
    "list-projects": control.list_projects,
    "create-project": control.create_project,
    "get-project": control.get_project,
    "update-project": control.update_project,
    "archive-project": control.archive_project,
    "get-data-retention": control.get_data_retention,
    "put-data-retention": control.put_data_retention,
}

# These take a model, which is checked before they are asked.  Embeddings are not here: no model on record serves them.
_MODEL_HANDLERS: dict[str, ModelHandler] = {
    "create-response": inference.create_response,
    "create-response-openai": inference.create_response,
    "compact-response": inference.compact_response,
    "create-chat-completion": inference.create_chat_completion,
    "create-chat-completion-openai": inference.create_chat_completion,
    "create-message": inference.create_message,
    "count-tokens": inference.count_message_tokens,
}


class Emulator:
    """The endpoint of one region."""

    def __init__(
        self, settings: Settings, directory: Directory, policies_of: PoliciesOf, now: Callable[[], datetime]
    ) -> None:
        """``policies_of`` answers with every policy that binds a caller, its session policies among them."""
        self.settings = settings
        self.world = World(settings.region)
        self._directory = directory
        self._policies_of = policies_of
        self._now = now
        self._numbers = count(1)

    def handle(self, request: Request) -> Response:
        """Answer ``request``."""
        number = next(self._numbers)
        request_id = "req_" + hashlib.sha256(str(number).encode()).hexdigest()[:24]
        anthropic = request.path.startswith("/anthropic/")
        try:
            response = self._answer(request)
        except NoRoute:
            response = Response(404)
        except ServiceError as error:
            response = error_response(error, anthropic=anthropic, request_id=request_id)
        names = ("request-id",) if anthropic else ("x-request-id",)
        headers = (*response.headers, *((name, request_id) for name in names))
        return Response(response.status, response.body, headers, response.events)

    def _answer(self, request: Request) -> Response:
        operation = match_operation(request.method, request.path)
        if operation is None:
            raise NoRoute
        now = self._now()
        caller = authenticate(request, self._directory, region=self.settings.region, now=now)
        call = self._call(request, operation, caller, int(now.timestamp()))
        policies = self._policies_of(caller.caller)
        with self.world.lock:
            self._authorize(call, policies)
            return self._perform(call)

    def _call(self, request: Request, operation: Operation, caller: Authenticated, now: int) -> Call:
        account = self.world.account(caller.caller.account, caller.caller.partition, now)
        parameter = _parameter(operation, request)
        project = _named_project(request)
        if operation.path.startswith("/v1/organization/projects/{"):
            project = parameter
        return Call(
            request,
            operation,
            parameter,
            read_body(request),
            caller.caller,
            caller.method,
            account,
            project,
            self.settings.region,
            self.world.models,
            now,
        )

    def _authorize(self, call: Call, policies: PolicySet) -> None:
        denial = first_denial(call, policies)
        if denial is None:
            return
        style = self.settings.denial_style
        if style is DenialStyle.BARE_NOT_FOUND:
            raise NoRoute
        raise denied(write_denial(denial), 401 if style is DenialStyle.UNAUTHORIZED else 403)

    def _perform(self, call: Call) -> Response:
        if call.operation.preview:
            raise ServiceError(401, "access_denied", "permission_denied_error", AGENTS)
        if call.project is None:
            raise control.missing_project(call.project_arn)
        handler = _HANDLERS.get(call.operation.name)
        if handler is not None:
            return handler(call)
        berm = self.settings.wrong_path_style is WrongPathStyle.BERM
        model = inference.check_model(call, berm=berm)
        return _MODEL_HANDLERS[call.operation.name](call, model)


def _parameter(operation: Operation, request: Request) -> str:
    """What stands in the path for the template's parameter, decoded."""
    pairs = zip(operation.path.split("/"), request.path.split("/"), strict=True)
    found = [Request("", got).decoded_path for want, got in pairs if want.startswith("{")]
    return found[0] if found else ""


def _named_project(request: Request) -> str:
    """The project that a header names, as id or ARN; the default one when none does."""
    for name in PROJECT_HEADERS:
        value = request.header(name)
        if value:
            arn = Arn.try_parse(value)
            return arn.resource.removeprefix("project/") if arn else value
    return DEFAULT_PROJECT
