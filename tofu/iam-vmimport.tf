# AWS VM Import, which reads disk images from the bucket.

data "aws_iam_policy_document" "vmimport_trust" {
  # The import service of this account, which names itself by this external id.
  statement {
    sid     = "ImportServiceTakesIt"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["vmie.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "sts:ExternalId"
      values   = ["vmimport"]
    }
  }
}

resource "aws_iam_role" "vmimport" {
  count = var.create_vmimport_role ? 1 : 0

  name               = "vmimport"
  description        = "AWS VM Import reads disk images"
  assume_role_policy = data.aws_iam_policy_document.vmimport_trust.json

  lifecycle {
    prevent_destroy = true
  }
}

data "aws_iam_policy_document" "vmimport" {
  # The service looks where the bucket is and what is in it before it reads.
  statement {
    sid       = "FindTheImage"
    actions   = ["s3:GetBucketLocation", "s3:ListBucket"]
    resources = [aws_s3_bucket.images.arn]
  }

  # Disk images, and nothing of the store.
  statement {
    sid       = "ReadTheImage"
    actions   = ["s3:GetObject"]
    resources = ["${aws_s3_bucket.images.arn}/images/*"]
  }

  # AWS asks for these four, without a resource, of every role that its import service works as.
  statement {
    sid       = "MakeTheSnapshot"
    actions   = ["ec2:ModifySnapshotAttribute", "ec2:CopySnapshot", "ec2:RegisterImage", "ec2:Describe*"]
    resources = ["*"]
  }
}

resource "aws_iam_role_policy" "vmimport" {
  count = length(aws_iam_role.vmimport)

  name   = "vmimport"
  role   = aws_iam_role.vmimport[0].name
  policy = data.aws_iam_policy_document.vmimport.json
}
