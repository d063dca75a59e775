"""mantle-iam: why Amazon Bedrock's Mantle endpoint refuses a key or a role, and the smallest policy that ends it.

The public names, each imported when it is first used::

    from mantle_iam import AuthorizationRequest, PolicySet, evaluate, parse_policy

    policies = PolicySet(identity=(parse_policy(text),))
    evaluate(AuthorizationRequest(principal, "bedrock-mantle:ListModels", (project,)), policies).decision
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mantle_iam.diagnose.case import Case as Case
    from mantle_iam.diagnose.case import Report as Report
    from mantle_iam.diagnose.diagnosis import Diagnosis as Diagnosis
    from mantle_iam.errors import MantleIamError as MantleIamError
    from mantle_iam.generate.least_privilege import least_privilege as least_privilege
    from mantle_iam.iam.evaluation import evaluate as evaluate
    from mantle_iam.iam.grammar import parse_policy as parse_policy
    from mantle_iam.iam.grammar import policy_json as policy_json
    from mantle_iam.iam.near_miss import near_misses as near_misses
    from mantle_iam.iam.request import AuthorizationRequest as AuthorizationRequest
    from mantle_iam.iam.request import Decision as Decision
    from mantle_iam.iam.request import EvaluationResult as EvaluationResult
    from mantle_iam.iam.request import PolicySet as PolicySet
    from mantle_iam.iam.request import PolicyType as PolicyType
    from mantle_iam.mantle.credential import read_credential as read_credential
    from mantle_iam.mantle.denial import find_denials as find_denials
    from mantle_iam.mantle.exchange import Exchange as Exchange
    from mantle_iam.mantle.operations import Permission as Permission
    from mantle_iam.mantle.transcript import read_transcript as read_transcript

__version__ = "0.1.0"
"""Version of this package; a constant, because asking the installed metadata for it costs more than a whole command."""

_HOMES = {
    "AuthorizationRequest": "iam.request",
    "Case": "diagnose.case",
    "Decision": "iam.request",
    "Diagnosis": "diagnose.diagnosis",
    "EvaluationResult": "iam.request",
    "Exchange": "mantle.exchange",
    "MantleIamError": "errors",
    "Permission": "mantle.operations",
    "PolicySet": "iam.request",
    "PolicyType": "iam.request",
    "Report": "diagnose.case",
    "evaluate": "iam.evaluation",
    "find_denials": "mantle.denial",
    "least_privilege": "generate.least_privilege",
    "near_misses": "iam.near_miss",
    "parse_policy": "iam.grammar",
    "policy_json": "iam.grammar",
    "read_credential": "mantle.credential",
    "read_transcript": "mantle.transcript",
}
__all__ = [*sorted(_HOMES), "__version__"]


def __getattr__(name: str) -> Any:
    """A public name, from the module where it lives (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
