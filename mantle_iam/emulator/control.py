"""Models, projects, files, fine-tuning jobs, data retention: the control plane after authorisation.

Sources: https://docs.aws.amazon.com/bedrock/latest/userguide/projects.html, .../data-retention.html; shapes as in
https://github.com/aws-samples/sample-per-model-bedrock
"""

from __future__ import annotations

from mantle_iam.emulator.call import Call, Json, missing_field
from mantle_iam.emulator.http import Response, ServiceError, invalid, not_found
from mantle_iam.emulator.inference import answer_json
from mantle_iam.emulator.world import (
    DEFAULT_PROJECT,
    MAX_PROJECTS,
    MODEL_CREATED,
    RETENTION_MODES,
    Job,
    Project,
    StoredFile,
)

MAX_TAGS = 50


def list_models(call: Call) -> Response:
    """GET /v1/models."""
    return answer_json({"data": [_model(model) for model in call.models], "object": "list"})


def get_model(call: Call) -> Response:
    """GET /v1/models/{model}."""
    if call.parameter not in call.models:
        raise not_found(f"The model '{call.parameter}' does not exist")
    return answer_json({**_model(call.parameter), "status": "available"})


def _model(model: str) -> Json:
    return {"created": MODEL_CREATED, "id": model, "object": "model", "owned_by": "system"}


def list_projects(call: Call) -> Response:
    """GET /v1/organization/projects."""
    return answer_json(_page([project.shown() for project in call.account.projects.values()]))


def get_project(call: Call) -> Response:
    """GET /v1/organization/projects/{id}."""
    return answer_json(_project(call).shown())


def create_project(call: Call) -> Response:
    """POST /v1/organization/projects."""
    fields = call.json()
    name = fields.get("name")
    if not isinstance(name, str) or not name:
        raise invalid(missing_field("name"))
    if len(call.account.projects) >= MAX_PROJECTS:
        raise invalid(f"The account has {MAX_PROJECTS} projects already")
    tags = _tags(fields, "tags")
    retention = _mode(fields) or "inherit"
    project_id = call.account.next_id("proj")
    project = Project(project_id, name, call.account.project_arn(project_id), call.now, tags, retention)
    call.account.projects[project_id] = project
    return answer_json(project.shown())


def update_project(call: Call) -> Response:
    """POST /v1/organization/projects/{id}."""
    project = _project(call)
    fields = call.json()
    added = _tags(fields, "add_tags")
    removed = fields.get("remove_tag_keys") or []
    retention = _mode(fields)
    name = fields.get("name", project.name)
    if not isinstance(removed, list) or not isinstance(name, str):
        raise invalid("Failed to deserialize the JSON body into the target type: invalid type")
    kept = {key: value for key, value in project.tags.items() if key not in removed} | added
    if len(kept) > MAX_TAGS:
        raise invalid(f"A project has at most {MAX_TAGS} tags")
    project.tags, project.name, project.retention = kept, name, retention or project.retention
    return answer_json(project.shown())


def archive_project(call: Call) -> Response:
    """POST /v1/organization/projects/{id}/archive."""
    project = _project(call)
    if project.id == DEFAULT_PROJECT:
        raise invalid("The default project cannot be archived")
    project.archived = True
    return answer_json(project.shown())


def missing_project(arn: str) -> ServiceError:
    """A 404 that names the project's ARN (E26)."""
    return not_found(f"Project {arn} not found")


def _project(call: Call) -> Project:
    if call.project is None:
        raise missing_project(call.project_arn)
    return call.project


def _tags(fields: Json, name: str) -> dict[str, str]:
    given = fields.get(name)
    if given is None:
        return {}
    if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
        raise invalid(f"Failed to deserialize the JSON body into the target type: {name}: expected a map of strings")
    if len(given) > MAX_TAGS:
        raise invalid(f"A project has at most {MAX_TAGS} tags")
    return dict(given)


def _mode(fields: Json) -> str | None:
    """The data-retention mode in a body: ``{"data_retention": {"mode": …}}``, or ``mode`` alone."""
    given = fields.get("data_retention", fields)
    mode = given.get("mode") if isinstance(given, dict) else given
    if mode is None:
        return None
    if mode not in RETENTION_MODES:
        supported = ", ".join(f"'{each}'" for each in RETENTION_MODES)
        raise invalid(f"Invalid value: '{mode}'. Supported values are: {supported}.", "mode")
    return str(mode)


def get_data_retention(call: Call) -> Response:
    """GET /v1/data_retention."""
    return answer_json({"object": "data_retention", "mode": call.account.retention})


def put_data_retention(call: Call) -> Response:
    """PUT /v1/data_retention."""
    mode = _mode(call.json())
    if mode is None or mode == "inherit":
        raise invalid(missing_field("mode") if mode is None else "An account has nothing to inherit from", "mode")
    call.account.retention = mode
    return get_data_retention(call)


def list_files(call: Call) -> Response:
    """GET /v1/files."""
    files = call.account.files.values()
    return answer_json(_page([file.document for file in files if file.project == call.project_id]))


def create_file(call: Call) -> Response:
    """POST /v1/files, a multipart form with ``purpose`` and ``file``."""
    if call.body.problem is not None:
        raise invalid(call.body.problem)
    purpose = call.body.text("purpose")
    upload = next((part for part in call.body.files if part[0] == "file"), None)
    if purpose is None or upload is None:
        raise invalid(missing_field("purpose" if purpose is None else "file"))
    _, filename, content = upload
    file_id = call.account.next_id("file")
    document = {
        "id": file_id,
        "object": "file",
        "bytes": len(content),
        "created_at": call.now,
        "filename": filename,
        "purpose": purpose,
        "status": "processed",
    }
    call.account.files[file_id] = StoredFile(call.project_id, document, content)
    return answer_json(document)


def get_file(call: Call) -> Response:
    """GET /v1/files/{id}."""
    return answer_json(_file(call, call.parameter).document)


def get_file_content(call: Call) -> Response:
    """GET /v1/files/{id}/content."""
    return Response(200, _file(call, call.parameter).content, (("content-type", "application/octet-stream"),))


def delete_file(call: Call) -> Response:
    """DELETE /v1/files/{id}."""
    _file(call, call.parameter)
    del call.account.files[call.parameter]
    return answer_json({"id": call.parameter, "object": "file", "deleted": True})


def _file(call: Call, file_id: str) -> StoredFile:
    file = call.account.files.get(file_id)
    if file is None or file.project != call.project_id:
        raise not_found(f"No such File object: {file_id}", "id")
    return file


def list_jobs(call: Call) -> Response:
    """GET /v1/fine_tuning/jobs."""
    jobs = call.account.jobs.values()
    return answer_json(_page([job.document for job in jobs if job.project == call.project_id]))


def create_job(call: Call) -> Response:
    """POST /v1/fine_tuning/jobs.  The job stays queued: nothing is trained here."""
    fields = call.json()
    model, training = call.model, call.body.text("training_file")
    if model is None or training is None:
        raise invalid(missing_field("model" if model is None else "training_file"))
    if model not in call.models:
        raise not_found(f"The model '{model}' does not exist")
    _file(call, training)
    job_id = call.account.next_id("ftjob")
    document: Json = {
        "id": job_id,
        "object": "fine_tuning.job",
        "created_at": call.now,
        "error": None,
        "fine_tuned_model": None,
        "finished_at": None,
        "hyperparameters": {},
        "method": fields.get("method"),
        "model": model,
        "organization_id": call.account.id,
        "result_files": [],
        "seed": 0,
        "status": "queued",
        "trained_tokens": None,
        "training_file": training,
        "validation_file": fields.get("validation_file"),
    }
    call.account.jobs[job_id] = Job(call.project_id, document)
    return answer_json(document)


def get_job(call: Call) -> Response:
    """GET /v1/fine_tuning/jobs/{id}."""
    return answer_json(_job(call).document)


def list_job_parts(call: Call) -> Response:
    """GET /v1/fine_tuning/jobs/{id}/events and …/checkpoints: none, since nothing is trained."""
    _job(call)
    return answer_json(_page([]))


def cancel_job(call: Call) -> Response:
    """POST /v1/fine_tuning/jobs/{id}/cancel."""
    job = _job(call)
    job.document["status"] = "cancelled"
    return answer_json(job.document)


def _job(call: Call) -> Job:
    job = call.account.jobs.get(call.parameter)
    if job is None or job.project != call.project_id:
        raise not_found(f"Could not find fine tune: {call.parameter}", "fine_tune_id")
    return job


def _page(items: list[Json]) -> Json:
    return {
        "object": "list",
        "data": items,
        "first_id": items[0]["id"] if items else None,
        "last_id": items[-1]["id"] if items else None,
        "has_more": False,
    }
