"""Everything that can be denied, whatever else allows it, by the name that is asked for.

The statements are those of ``key_denials``, ``scope_denials`` and ``project_denials``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from mantle_iam.errors import InputError
from mantle_iam.generate.kinds.denial import Denial
from mantle_iam.generate.kinds.key_denials import all_keys, key_creation, keys_of_type, old_keys
from mantle_iam.generate.kinds.project_denials import other_projects
from mantle_iam.generate.kinds.scope_denials import other_models, other_regions, plain, retention

DENIALS: Final[tuple[Denial, ...]] = (
    # In the order of the help: keys, then what calls may reach, then what costs or changes.
    Denial("long-term-keys", "Calls with a long-term key.", keys_of_type("NoLongTermKeys", "LONG_TERM", "SHORT_TERM")),
    Denial(
        "short-term-keys", "Calls with a short-term key.", keys_of_type("NoShortTermKeys", "SHORT_TERM", "LONG_TERM")
    ),
    Denial("all-keys", "Calls with any key.", all_keys),
    Denial("key-creation", "Making and resetting long-term keys.", key_creation),
    Denial(
        "old-keys",
        "Making long-term keys that outlive --max-key-age, or never expire.",
        old_keys,
        frozenset({"max_key_age_days"}),
    ),
    Denial("other-models", "Calls to all models but those of --model.", other_models, frozenset({"models"})),
    Denial("other-regions", "Everything outside of the regions of --region.", other_regions, frozenset({"regions"})),
    Denial(
        "other-projects",
        "Everything on all projects but those of --project.",
        other_projects,
        frozenset({"projects", "project_tags", "account"}),
    ),
    Denial(
        "project-creation",
        "Creating projects.",
        # https://docs.aws.amazon.com/bedrock/latest/userguide/security-iam-projects.html (DenyProjectCreation)
        plain("NoProjectCreation", "bedrock-mantle:CreateProject"),
    ),
    Denial(
        "cost",
        "Customized models, fine-tuning jobs and reservations.",
        plain(
            "NoCostlyResources",
            "bedrock-mantle:CreateCustomizedModel",
            "bedrock-mantle:CreateFineTuningJob",
            "bedrock-mantle:CreateReservation",
            notes=("inference costs too; it is not denied by this",),
        ),
    ),
    Denial("data-retention-changes", "Setting the data retention of the account or of a project.", retention),
)


def denial_names() -> tuple[str, ...]:
    """The denials, in the order of the help."""
    return tuple(denial.name for denial in DENIALS)


def denials_go_by(names: Iterable[str]) -> frozenset[str]:
    """Fields of ``Wish`` and its ``Scope`` that say what the denials of these names deny.

    Raises:
        InputError: there is no such denial.
    """
    return frozenset().union(*(find_denial(name).goes_by for name in names))


def find_denial(name: str) -> Denial:
    """The denial called ``name``.

    Raises:
        InputError: there is none.
    """
    wanted = name.strip().lower().replace("_", "-")
    found = next((denial for denial in DENIALS if denial.name == wanted), None)
    if found is not None:
        return found
    from difflib import get_close_matches

    near = get_close_matches(wanted[:40], denial_names(), n=1)
    raise InputError(
        f"nothing is called `{name}` that can be denied",
        help=f"did you mean {near[0]}?" if near else f"what can be denied: {', '.join(denial_names())}",
    )
