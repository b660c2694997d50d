# What instances may do: launch, replace and retire siblings.

data "aws_iam_policy_document" "instance_fleet" {
  # Reading EC2 cannot be limited to resources. Status, drift and plans need it.
  statement {
    sid = "SeeEc2"

    actions = [
      "ec2:DescribeInstances",
      "ec2:DescribeInstanceStatus",
      "ec2:DescribeInstanceTypes",
      "ec2:DescribeInstanceTypeOfferings",
      "ec2:DescribeImages",
      "ec2:DescribeSnapshots",
      "ec2:DescribeImportSnapshotTasks",
      "ec2:DescribeVolumes",
      "ec2:DescribeLaunchTemplates",
      "ec2:DescribeLaunchTemplateVersions",
      "ec2:DescribeSubnets",
      "ec2:DescribeSecurityGroups",
      "ec2:DescribeAvailabilityZones",
      "ec2:DescribeTags",
    ]

    resources = ["*"]
  }

  # Machines only from the stack's launch template, with the fleet's tags, one of its profiles, and IMDSv2.
  statement {
    sid       = "LaunchTaggedMachines"
    actions   = ["ec2:RunInstances"]
    resources = ["${local.ec2}:instance/*"]

    condition {
      test     = "StringEquals"
      variable = "aws:RequestTag/clawdinator"
      values   = ["true"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:RequestTag/clawdinator:fleet"
      values   = [var.fleet]
    }

    condition {
      test     = "ArnEquals"
      variable = "ec2:LaunchTemplate"
      values   = [aws_launch_template.instance.arn]
    }

    condition {
      test     = "ArnEquals"
      variable = "ec2:InstanceProfile"
      values   = local.instance_profile_arns
    }

    condition {
      test     = "StringEquals"
      variable = "ec2:MetadataHttpTokens"
      values   = ["required"]
    }
  }

  # Only from the fleet's own images.
  statement {
    sid       = "LaunchFromOwnImages"
    actions   = ["ec2:RunInstances"]
    resources = ["${local.ec2_unowned}:image/*"]

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/clawdinator"
      values   = ["true"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/clawdinator:fleet"
      values   = [var.fleet]
    }
  }

  # Root volumes are encrypted.
  statement {
    sid       = "LaunchWithEncryptedVolumes"
    actions   = ["ec2:RunInstances"]
    resources = ["${local.ec2}:volume/*"]

    condition {
      test     = "ArnEquals"
      variable = "ec2:LaunchTemplate"
      values   = [aws_launch_template.instance.arn]
    }

    condition {
      test     = "Bool"
      variable = "ec2:Encrypted"
      values   = ["true"]
    }
  }

  # In the stack's subnets and security group, with its key at most, by its template.
  statement {
    sid       = "LaunchInOwnNetwork"
    actions   = ["ec2:RunInstances"]
    resources = local.launch_network_arns

    condition {
      test     = "ArnEquals"
      variable = "ec2:LaunchTemplate"
      values   = [aws_launch_template.instance.arn]
    }
  }

  # A sibling gets a role of an instance, never another one, and only EC2 may take it.
  statement {
    sid       = "PassInstanceRoles"
    actions   = ["iam:PassRole"]
    resources = local.instance_role_arns

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["ec2.amazonaws.com"]
    }
  }

  # Tags in the very call that makes a thing; what exists already cannot be claimed this way.
  statement {
    sid     = "TagWhatIsMade"
    actions = ["ec2:CreateTags"]

    resources = [
      "${local.ec2}:instance/*",
      "${local.ec2}:volume/*",
      "${local.ec2}:network-interface/*",
      "${local.ec2_unowned}:image/*",
      "${local.ec2_unowned}:snapshot/*",
      "${local.ec2_unowned}:import-snapshot-task/*",
    ]

    condition {
      test     = "StringEquals"
      variable = "ec2:CreateAction"
      values   = ["RunInstances", "RegisterImage", "ImportSnapshot"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:RequestTag/clawdinator"
      values   = ["true"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:RequestTag/clawdinator:fleet"
      values   = [var.fleet]
    }
  }

  # Further tags on what is the fleet's, such as the name that an instance has taken; whose it is cannot be changed.
  statement {
    sid       = "RetagOwn"
    actions   = ["ec2:CreateTags"]
    resources = ["${local.ec2}:instance/*", "${local.ec2}:volume/*", "${local.ec2_unowned}:image/*", "${local.ec2_unowned}:snapshot/*"]

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/clawdinator"
      values   = ["true"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/clawdinator:fleet"
      values   = [var.fleet]
    }

    condition {
      test     = "StringEqualsIfExists"
      variable = "aws:RequestTag/clawdinator"
      values   = ["true"]
    }

    condition {
      test     = "StringEqualsIfExists"
      variable = "aws:RequestTag/clawdinator:fleet"
      values   = [var.fleet]
    }
  }

  # Restart, retire, and the console's text in the report of a failure: the fleet's machines only.
  statement {
    sid       = "ManageOwnMachines"
    actions   = ["ec2:StartInstances", "ec2:StopInstances", "ec2:RebootInstances", "ec2:TerminateInstances", "ec2:GetConsoleOutput"]
    resources = ["${local.ec2}:instance/*"]

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/clawdinator"
      values   = ["true"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/clawdinator:fleet"
      values   = [var.fleet]
    }
  }
}

resource "aws_iam_role_policy" "instance_fleet" {
  for_each = module.names.all_roles

  name   = "${var.fleet}-fleet"
  role   = each.value
  policy = data.aws_iam_policy_document.instance_fleet.json

  depends_on = [aws_iam_role.instance, aws_iam_role.named]
}
