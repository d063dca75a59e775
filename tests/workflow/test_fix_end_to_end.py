"""From the service's sentence to the policy, with the real reader and the real diagnosis between them.

A random principal lacks one permission in one layer; the sentence that AWS would write is diagnosed; what is offered must make
``evaluate`` allow the refused request in the same circumstances, and must be for the layer that withheld it.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mantle_iam.diagnose.case import Case
from mantle_iam.diagnose.differential import diagnose
from mantle_iam.iam.evaluation import evaluate
from mantle_iam.iam.request import AuthorizationRequest, Decision, PolicyType
from mantle_iam.mantle.denial import Denial, write_denial
from mantle_iam.mantle.exchange import Auth, Exchange
from mantle_iam.workflow.fix import propose_fix
from tests.workflow.situations import FULL, policy_set
from tests.workflow.test_fix import ACTIONS, PRINCIPALS

OTHER = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}


@st.composite
def refusal(draw: st.DrawFn) -> tuple[AuthorizationRequest, dict[str, Any], PolicyType, bool]:
    info = draw(st.sampled_from(ACTIONS))
    kind = info.resource_types[0].name if info.resource_types else None
    resource = f"arn:aws:bedrock-mantle:us-east-1:111122223333:{kind}/default" if kind else "*"
    request = AuthorizationRequest(draw(st.sampled_from(PRINCIPALS)), info.name, (resource,))
    layer = draw(st.sampled_from([PolicyType.IDENTITY, PolicyType.PERMISSIONS_BOUNDARY, PolicyType.SCP]))
    policies: dict[str, Any] = {"identity": [FULL], "permissions-boundary": [FULL], "scp": [[FULL], [FULL]]}
    policies[layer.value] = [[FULL], [OTHER]] if layer is PolicyType.SCP else [OTHER]
    return request, policies, layer, draw(st.booleans())


@given(refusal())
@settings(max_examples=60)
def test_the_refused_request_becomes_allowed(
    refused: tuple[AuthorizationRequest, dict[str, Any], PolicyType, bool],
) -> None:
    request, values, layer, read = refused
    policies = policy_set(values)
    assert evaluate(request, policies).withheld_by == (layer,)
    denial = Denial(request.principal, request.action, request.resources[0], "implicit", layer)
    body = json.dumps(
        {"error": {"code": "access_denied", "message": write_denial(denial), "type": "permission_denied_error"}}
    )
    exchange = Exchange(auth=Auth.SIGV4, status=403, body=body)
    case = Case(exchanges=(exchange,), principal=request.principal, policies=policies if read else None)

    fix = propose_fix(diagnose(case), case)

    assert fix is not None
    assert not fix.blocked_by
    offered = {change.policy_type: change.document for change in fix.changes}
    assert layer in offered
    if read:
        assert set(offered) == {layer}
    added = offered[layer]
    match layer:
        case PolicyType.IDENTITY:
            together = replace(policies, identity=(*policies.identity, added))
        case PolicyType.PERMISSIONS_BOUNDARY:
            together = replace(policies, permissions_boundary=(*(policies.permissions_boundary or ()), added))
        case _:
            together = replace(policies, scp=tuple((*level, added) for level in policies.scp or ()))
    assert evaluate(request, together).decision is Decision.ALLOWED
    assert fix.proof is not None
    assert fix.proof.decision is (Decision.ALLOWED if read else Decision.UNKNOWN)
