# CI builds and imports images, and can remove none.

resource "aws_iam_openid_connect_provider" "github" {
  count = var.ci_repository != "" && var.github_oidc_provider_arn == "" ? 1 : 0

  url            = "https://token.actions.githubusercontent.com"
  client_id_list = ["sts.amazonaws.com"]

  lifecycle {
    prevent_destroy = true
  }
}

data "aws_iam_policy_document" "ci_trust" {
  count = var.ci_repository == "" ? 0 : 1

  # Workflows of one branch of one repository, for as long as a run lasts; not of its pull requests.
  statement {
    sid     = "WorkflowsOfOneBranchTakeIt"
    actions = ["sts:AssumeRoleWithWebIdentity"]

    principals {
      type        = "Federated"
      identifiers = [local.github_oidc_provider_arn]
    }

    condition {
      test     = "StringEquals"
      variable = "token.actions.githubusercontent.com:aud"
      values   = ["sts.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "token.actions.githubusercontent.com:sub"
      values   = ["repo:${var.ci_repository}:ref:refs/heads/${var.ci_branch}"]
    }
  }
}

resource "aws_iam_role" "ci" {
  count = var.ci_repository == "" ? 0 : 1

  name                 = "${var.fleet}-image-uploader"
  description          = "image builds of ${var.ci_repository}"
  assume_role_policy   = data.aws_iam_policy_document.ci_trust[0].json
  max_session_duration = 7200

  lifecycle {
    prevent_destroy = true
  }
}

# The seed's way: a key that never expires. Only where it is asked for.
resource "aws_iam_user" "ci" {
  count = var.create_ci_user ? 1 : 0
  name  = "${var.fleet}-image-uploader"

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_iam_access_key" "ci" {
  count = var.create_ci_user ? 1 : 0
  user  = aws_iam_user.ci[0].name
}

data "aws_iam_policy_document" "ci" {
  # Disk images on their way to VM Import, which are of no more use afterwards.
  statement {
    sid       = "UploadImages"
    actions   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]
    resources = ["${aws_s3_bucket.images.arn}/images/*"]
  }

  # Whether an image, or a part of it, is there already. Names of other objects can be seen, their content not.
  statement {
    sid       = "ListTheBucket"
    actions   = ["s3:ListBucket", "s3:ListBucketMultipartUploads", "s3:GetBucketLocation"]
    resources = [aws_s3_bucket.images.arn]
  }

  # Reading EC2 cannot be limited to resources: what was imported already, and how far an import is.
  statement {
    sid       = "SeeImages"
    actions   = ["ec2:DescribeImages", "ec2:DescribeSnapshots", "ec2:DescribeImportSnapshotTasks", "ec2:DescribeTags"]
    resources = ["*"]
  }

  # A snapshot is the fleet's from its first moment.
  statement {
    sid       = "StartTaggedSnapshots"
    actions   = ["ebs:StartSnapshot"]
    resources = ["${local.ec2_unowned}:snapshot/*"]

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

  # Blocks of the fleet's own snapshots only.
  statement {
    sid = "FillAndReadOwnSnapshots"

    actions = [
      "ebs:PutSnapshotBlock",
      "ebs:CompleteSnapshot",
      "ebs:ListSnapshotBlocks",
      "ebs:ListChangedBlocks",
      "ebs:GetSnapshotBlock",
    ]

    resources = ["${local.ec2_unowned}:snapshot/*"]

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

  # The other way of importing; it can only add a snapshot.
  statement {
    sid       = "ImportThroughVmImport"
    actions   = ["ec2:ImportSnapshot"]
    resources = ["${local.ec2_unowned}:import-snapshot-task/*", "${local.ec2_unowned}:snapshot/*"]
  }

  # An import that was given up is ended, where it is the fleet's.
  statement {
    sid       = "CancelOwnImports"
    actions   = ["ec2:CancelImportTask"]
    resources = ["${local.ec2_unowned}:import-snapshot-task/*"]

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

  # VM Import works as its own role.
  statement {
    sid       = "PassTheImportRole"
    actions   = ["iam:PassRole"]
    resources = [local.vmimport_role_arn]

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["vmie.amazonaws.com"]
    }
  }

  # An AMI is tagged in the call that registers it …
  statement {
    sid       = "RegisterTaggedImages"
    actions   = ["ec2:RegisterImage"]
    resources = ["${local.ec2_unowned}:image/*"]

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

  # … and its snapshot must be the fleet's.
  statement {
    sid       = "RegisterOwnSnapshots"
    actions   = ["ec2:RegisterImage"]
    resources = ["${local.ec2_unowned}:snapshot/*"]

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

  # What an attempt that was cut short left over. A snapshot that an AMI is made of cannot be deleted, and AMIs stay.
  statement {
    sid       = "DeleteOwnLeftovers"
    actions   = ["ec2:DeleteSnapshot"]
    resources = ["${local.ec2_unowned}:snapshot/*"]

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

  # An image that came out like a former one is noted on that one's AMI; whose it is cannot be changed.
  statement {
    sid       = "RetagOwn"
    actions   = ["ec2:CreateTags"]
    resources = ["${local.ec2_unowned}:image/*", "${local.ec2_unowned}:snapshot/*"]

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

  # Tags in the very call that makes a thing.
  statement {
    sid       = "TagWhatIsMade"
    actions   = ["ec2:CreateTags"]
    resources = ["${local.ec2_unowned}:image/*", "${local.ec2_unowned}:snapshot/*", "${local.ec2_unowned}:import-snapshot-task/*"]

    condition {
      test     = "StringEquals"
      variable = "ec2:CreateAction"
      values   = ["RegisterImage", "ImportSnapshot"]
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

  # As for instances: snapshots that were imported, never those of somebody's volume.
  statement {
    sid       = "TagImportedSnapshots"
    actions   = ["ec2:CreateTags"]
    resources = ["${local.ec2_unowned}:snapshot/*"]

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
      test     = "StringEqualsIfExists"
      variable = "aws:ResourceTag/clawdinator:fleet"
      values   = [var.fleet]
    }

    condition {
      test     = "ArnLikeIfExists"
      variable = "ec2:ParentVolume"
      values   = ["arn:${local.partition}:ec2:*:*:volume/vol-ffffffff"]
    }
  }
}

resource "aws_iam_policy" "ci" {
  count = var.ci_repository != "" || var.create_ci_user ? 1 : 0

  name        = "${var.fleet}-image-uploader"
  description = "build and import images of the fleet ${var.fleet}; remove none"
  policy      = data.aws_iam_policy_document.ci.json
}

resource "aws_iam_role_policy_attachment" "ci" {
  count = length(aws_iam_role.ci)

  role       = aws_iam_role.ci[0].name
  policy_arn = aws_iam_policy.ci[0].arn
}

resource "aws_iam_user_policy_attachment" "ci" {
  count = length(aws_iam_user.ci)

  user       = aws_iam_user.ci[0].name
  policy_arn = aws_iam_policy.ci[0].arn
}
