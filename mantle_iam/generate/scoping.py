"""What people write for account, region, project and model, as a ``Scope``, with a note for everything that looks odd.

Wrong is what can match nothing (an account of eleven digits); odd is what may be newer than our data (a region, a model).
Sources: https://docs.aws.amazon.com/bedrock/latest/userguide/endpoints-region-availability.html,
https://docs.aws.amazon.com/bedrock/latest/userguide/projects.html
"""

from __future__ import annotations

from dataclasses import dataclass

from mantle_iam.errors import InputError
from mantle_iam.iam.arn import Arn
from mantle_iam.mantle.endpoint import Standing, is_region_name, known_region, known_regions, nearest_region
from mantle_iam.mantle.models import known_model, read_model_id
from mantle_iam.mantle.scope import Scope

SERVICE = "bedrock-mantle"


@dataclass(frozen=True, slots=True)
class CheckedScope:
    """A scope that can match something, and what is odd about it, in sentences without a full stop."""

    scope: Scope
    notes: tuple[str, ...] = ()


def checked_scope(
    *,
    account: str | None = None,
    regions: tuple[str, ...] = (),
    projects: tuple[str, ...] = (),
    models: tuple[str, ...] = (),
    partition: str = "aws",
) -> CheckedScope:
    """Read what the caller wrote.

    Raises:
        InputError: an account, region, project or model that nothing can match.
    """
    notes: list[str] = []
    return CheckedScope(
        Scope(
            partition=partition,
            account=_account(account),
            regions=tuple(dict.fromkeys(_region(region, notes) for region in regions)),
            projects=tuple(dict.fromkeys(_project(project, account, notes) for project in projects)),
            models=tuple(dict.fromkeys(_model(model, notes) for model in models)),
        ),
        tuple(dict.fromkeys(notes)),
    )


def _account(text: str | None) -> str | None:
    if text is None:
        return None
    digits = text.strip().replace("-", "")
    if len(digits) != 12 or not (digits.isascii() and digits.isdigit()):
        raise InputError(f"`{text}` is not an AWS account id", help="an account id has twelve digits")
    return digits


def _region(text: str, notes: list[str]) -> str:
    region = text.strip().lower()
    found = known_region(region)
    if found is not None and found.standing is Standing.DOCUMENTED:
        return region
    near = nearest_region(region)
    advice = f"did you mean {near}?" if near else f"regions with a Mantle endpoint: {', '.join(known_regions())}"
    if not is_region_name(region):
        raise InputError(f"`{text}` is not an AWS region", help=advice)
    if found is not None:
        seen = "was seen to have no Mantle endpoint" if found.standing is Standing.ABSENT else "was seen to have one"
        notes.append(f"{region} is not documented to have a Mantle endpoint and {seen} ({found.reference})")
    else:
        notes.append(f"{region} is not among the regions with a documented Mantle endpoint; {advice}")
    return region


def _project(text: str, account: str | None, notes: list[str]) -> str:
    project = text.strip()
    if project.startswith("arn:"):
        arn = Arn.parse(project)
        if arn.service != SERVICE or not arn.resource.startswith("project/"):
            raise InputError(
                f"`{text}` is not the ARN of a Mantle project",
                help="it reads arn:aws:bedrock-mantle:REGION:ACCOUNT:project/ID",
            )
        if account is not None and arn.account not in (_account(account), "*"):
            raise InputError(f"the project `{text}` is not in account `{account}`")
        return project
    identifier = project.removeprefix("project/")
    if not identifier or not all(c.isascii() and (c.isalnum() or c in "_-*?") for c in identifier):
        raise InputError(
            f"`{text}` is not a project id", help="give the id (proj_…, default) or the ARN, not the project's name"
        )
    if identifier != "default" and not identifier.startswith("proj_") and "*" not in identifier:
        notes.append(f"`{identifier}` does not look like a project id (proj_… or default); names are not ids")
    return identifier


def _model(text: str, notes: list[str]) -> str:
    written = text.strip()
    if not written:
        raise InputError("an empty model id")
    if "*" in written or "?" in written:
        raise InputError(
            f"`{text}` has a wildcard",
            help="bedrock-mantle:Model is compared with the whole id; repeat --model for each id of GET /v1/models",
        )
    read = read_model_id(written)
    if not read.bare or not all(c.isascii() and (c.isalnum() or c in "._-:/") for c in read.bare):
        raise InputError(f"`{text}` is not a model id", help="GET /v1/models lists the ids of a region")
    if read.bare != written:
        reasons = "; ".join(read.removed)
        notes.append(
            f"model {written}: written as {read.bare}, the id that Mantle takes{f' ({reasons})' if reasons else ''}"
        )
    if known_model(read.bare) is None:
        notes.append(
            f"model {read.bare} is of no family known here; ids are compared exactly, so check it against GET /v1/models"
        )
    return read.bare
