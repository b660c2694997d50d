"""Starts ministack with one thing added from outside: its policies see the tags of EC2 resources (aws:ResourceTag/...)."""
from ministack.app import main
from ministack.core.responses import get_account_id, get_region
from ministack.services import tagging


def tags_of_ec2():
    from ministack.services import ec2

    for resource, tags in ec2._tags.items():
        kind = ec2._guess_resource_type(resource)
        yield f"arn:aws:ec2:{get_region()}:{get_account_id()}:{kind}/{resource}", tags


tagging._RESOURCE_TAG_COLLECTORS["ec2"] = tags_of_ec2
main()
