"""Decides requests by ministack's policy evaluator: JSON on stdin, a list of "Allow", "Deny" or "ImplicitDeny" on stdout."""
import json
import sys

from ministack.core.iam_evaluator import EvalContext, evaluate, parse_policy_document

asked = json.load(sys.stdin)
policies = [parse_policy_document(document) for document in asked["policies"]]
decisions = []
for request in asked["requests"]:
    context = EvalContext(
        principal_arn=asked["principal"],
        principal_type="AssumedRole",
        principal_account=asked["account"],
        action=request["action"],
        resource_arn=request["resource"],
        region=asked["region"],
        secure_transport=request["context"].get("aws:SecureTransport") == "true",
        # A request that names no tags has no aws:TagKeys, as ministack's own front door says it.
        service_context={"aws:tagkeys": None} | {key.lower(): value for key, value in request["context"].items()},
    )
    decisions.append(evaluate(context, policies).decision)
json.dump(decisions, sys.stdout)
