# What instances may do: see and mount the memory, be reached through SSM, and switch siblings to a revision.

data "aws_iam_policy_document" "instance_memory" {
  # Plans and `doctor` check that the memory and its mount targets are there.
  statement {
    sid = "SeeTheMemory"

    actions = [
      "elasticfilesystem:DescribeFileSystems",
      "elasticfilesystem:DescribeMountTargets",
      "elasticfilesystem:DescribeAccessPoints",
    ]

    resources = ["*"]
  }

  # A mount that presents the role (amazon-efs-utils) is let in as the plain tunnel is, and nowhere else.
  statement {
    sid       = "MountTheMemory"
    actions   = ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"]
    resources = [aws_efs_file_system.memory.arn]

    condition {
      test     = "Bool"
      variable = "elasticfilesystem:AccessedViaMountTarget"
      values   = ["true"]
    }
  }
}

resource "aws_iam_role_policy" "instance_memory" {
  for_each = module.names.all_roles

  name   = "${var.fleet}-memory"
  role   = each.value
  policy = data.aws_iam_policy_document.instance_memory.json

  depends_on = [aws_iam_role.instance, aws_iam_role.named]
}

data "aws_iam_policy_document" "instance_sessions" {
  # The SSM agent: registers the machine, and carries sessions and commands. These take no resource.
  statement {
    sid = "BeReachableThroughSsm"

    actions = [
      "ssm:UpdateInstanceInformation",
      "ssmmessages:CreateControlChannel",
      "ssmmessages:CreateDataChannel",
      "ssmmessages:OpenControlChannel",
      "ssmmessages:OpenDataChannel",
      "ec2messages:AcknowledgeMessage",
      "ec2messages:DeleteMessage",
      "ec2messages:FailMessage",
      "ec2messages:GetEndpoint",
      "ec2messages:GetMessages",
      "ec2messages:SendReply",
    ]

    resources = ["*"]
  }

  # The fast lane runs one document, which takes nothing but a full commit id …
  statement {
    sid       = "SendTheSwitchDocument"
    actions   = ["ssm:SendCommand"]
    resources = [aws_ssm_document.switch.arn]
  }

  # … on machines of the fleet.
  statement {
    sid       = "SendToOwnMachines"
    actions   = ["ssm:SendCommand"]
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

  # What became of such a command, and calling it off. AWS lets none of these be limited to a document or a machine.
  statement {
    sid       = "FollowCommands"
    actions   = ["ssm:GetCommandInvocation", "ssm:ListCommands", "ssm:ListCommandInvocations", "ssm:CancelCommand", "ssm:DescribeInstanceInformation"]
    resources = ["*"]
  }

  # The agent fetches the text of the document that it is told to run.
  statement {
    sid       = "ReadTheSwitchDocument"
    actions   = ["ssm:GetDocument", "ssm:DescribeDocument"]
    resources = [aws_ssm_document.switch.arn]
  }
}

resource "aws_iam_role_policy" "instance_sessions" {
  for_each = module.names.all_roles

  name   = "${var.fleet}-sessions"
  role   = each.value
  policy = data.aws_iam_policy_document.instance_sessions.json

  depends_on = [aws_iam_role.instance, aws_iam_role.named]
}
