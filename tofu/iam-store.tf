# What instances may do: the coordination store, and secrets.

data "aws_iam_policy_document" "instance_store" {
  # The store lists its records, an upload looks for parts that it sent before. Not by prefix: S3 says "not there" rather
  # than "forbidden" of a missing object only to those who may list its bucket, and nothing else lies in this one.
  statement {
    sid       = "ListTheBucket"
    actions   = ["s3:ListBucket", "s3:ListBucketMultipartUploads", "s3:GetBucketLocation"]
    resources = [aws_s3_bucket.images.arn]
  }

  # Names, leases, approvals, journals, heartbeats; seeds are refreshed weekly; images pass through to VM Import and are
  # removed with their AMI. Nothing else in the bucket, and no old versions: a deletion can be undone by a maintainer.
  statement {
    sid     = "ReadAndWriteOwnPrefixes"
    actions = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]

    resources = [
      "${aws_s3_bucket.images.arn}/store/*",
      "${aws_s3_bucket.images.arn}/seeds/*",
      "${aws_s3_bucket.images.arn}/images/*",
    ]
  }
}

resource "aws_iam_role_policy" "instance_store" {
  for_each = module.names.all_roles

  name   = "${var.fleet}-store"
  role   = each.value
  policy = data.aws_iam_policy_document.instance_store.json

  depends_on = [aws_iam_role.instance, aws_iam_role.named]
}

data "aws_iam_policy_document" "instance_secrets" {
  # What all share: model keys, the GitHub App's key. Read only; a maintainer writes them with their own credentials.
  statement {
    sid       = "ReadSharedSecrets"
    actions   = ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"]
    resources = local.shared_secret_arns
  }
}

resource "aws_iam_role_policy" "instance_secrets" {
  for_each = module.names.all_roles

  name   = "${var.fleet}-secrets"
  role   = each.value
  policy = data.aws_iam_policy_document.instance_secrets.json

  depends_on = [aws_iam_role.instance, aws_iam_role.named]
}

data "aws_iam_policy_document" "named_secrets" {
  for_each = module.names.named_roles

  # Its own name's secrets, which go before the shared ones. No other name's: the role knows its name, and nobody who
  # runs with it can change that.
  statement {
    sid       = "ReadSecretsOfOneName"
    actions   = ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"]
    resources = ["${local.secret_arn}/${each.key}/*"]
  }
}

resource "aws_iam_role_policy" "named_secrets" {
  for_each = module.names.named_roles

  name   = "${var.fleet}-own-secrets"
  role   = aws_iam_role.named[each.key].name
  policy = data.aws_iam_policy_document.named_secrets[each.key].json
}

data "aws_iam_policy_document" "unnamed_secrets" {
  # Where no name has a role of its own, all machines have one role, and IAM cannot tell them apart: it knows which
  # machine asks, but not the machine's tags. As soon as `instance_names` has one entry, this policy is gone.
  statement {
    sid       = "ReadSecretsOfAnyName"
    actions   = ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"]
    resources = ["${local.secret_arn}/CLAWDINATOR-*/*"]
  }
}

resource "aws_iam_role_policy" "unnamed_secrets" {
  count = length(module.names.named_roles) == 0 ? 1 : 0

  name   = "${var.fleet}-own-secrets"
  role   = aws_iam_role.instance.name
  policy = data.aws_iam_policy_document.unnamed_secrets.json
}
