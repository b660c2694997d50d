# What instances may do: build, import and prune images.

data "aws_iam_policy_document" "instance_images" {
  # A snapshot is the fleet's from its first moment: it cannot be started without the tags.
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

  # Blocks of the fleet's own snapshots only: written by an import, read back to verify it, compared with the parent's.
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

  # An AMI is tagged in the call that registers it.
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

  # The snapshot that is registered must be the fleet's; and pruning removes AMI and snapshot, again only the fleet's.
  statement {
    sid       = "UseAndRemoveOwnImages"
    actions   = ["ec2:RegisterImage", "ec2:DeregisterImage", "ec2:DeleteSnapshot"]
    resources = ["${local.ec2_unowned}:snapshot/*", "${local.ec2_unowned}:image/*"]

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

  # The other way of importing: AWS reads the disk image from the bucket. The snapshot that comes of it has no tags yet, so
  # this asks for none; it can only add one.
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

  # VM Import works as its own role, which can read the bucket's images and nothing of the fleet.
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

  # Snapshots that were not taken of a volume (EC2 gives those the parent vol-ffffffff): started by EBS direct, which
  # tags in a call of its own, or left untagged by VM Import. A snapshot of somebody's volume cannot be made ours.
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

  # Images that came out alike share one AMI, with a tag for each; pruning takes off that tag and no other.
  statement {
    sid       = "UntagSharedImages"
    actions   = ["ec2:DeleteTags"]
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

    condition {
      test     = "ForAllValues:StringLike"
      variable = "aws:TagKeys"
      values   = ["clawdinator:image:*"]
    }

    # Without a key AWS would take off every tag.
    condition {
      test     = "Null"
      variable = "aws:TagKeys"
      values   = ["false"]
    }
  }
}

# A policy of its own rather than inline: the inline policies of a role may have 10,240 characters together.
resource "aws_iam_policy" "instance_images" {
  name        = "${var.fleet}-images"
  description = "build, import and prune images of the fleet ${var.fleet}"
  policy      = data.aws_iam_policy_document.instance_images.json
}

resource "aws_iam_role_policy_attachment" "instance_images" {
  for_each = module.names.all_roles

  role       = each.value
  policy_arn = aws_iam_policy.instance_images.arn

  depends_on = [aws_iam_role.instance, aws_iam_role.named]
}
