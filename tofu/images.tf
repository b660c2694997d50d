# The bucket: coordination store (`store/`), repository seeds (`seeds/`), and images on their way in (`images/`).

resource "aws_s3_bucket" "images" {
  bucket = module.names.bucket_name

  # `force_destroy` stays off: a bucket that is not empty is never deleted.
  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_s3_bucket_public_access_block" "images" {
  bucket                  = aws_s3_bucket.images.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "images" {
  bucket = aws_s3_bucket.images.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

# An object overwritten or deleted by mistake can be brought back for 30 days.
resource "aws_s3_bucket_versioning" "images" {
  bucket = aws_s3_bucket.images.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "images" {
  bucket = aws_s3_bucket.images.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "images" {
  bucket = aws_s3_bucket.images.id

  rule {
    id     = "old-versions"
    status = "Enabled"
    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }

    noncurrent_version_expiration {
      noncurrent_days = 30
    }

    expiration {
      expired_object_delete_marker = true
    }
  }

  # A disk image is of no use once its AMI is registered, and is the only thing here of any size.
  rule {
    id     = "imported-images"
    status = "Enabled"

    filter {
      prefix = "images/"
    }

    expiration {
      days = 14
    }

    noncurrent_version_expiration {
      noncurrent_days = 1
    }
  }

  # Heartbeats overwrite their object every minute or so; their old versions are of no use.
  rule {
    id     = "store-versions"
    status = "Enabled"

    filter {
      prefix = "store/"
    }

    noncurrent_version_expiration {
      noncurrent_days           = 1
      newer_noncurrent_versions = 3
    }
  }

  depends_on = [aws_s3_bucket_versioning.images]
}

data "aws_iam_policy_document" "bucket" {
  # Nobody, not even an administrator by mistake, reads or writes it in clear text.
  statement {
    sid       = "RefusePlainHttp"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.images.arn, "${aws_s3_bucket.images.arn}/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_s3_bucket_policy" "images" {
  bucket = aws_s3_bucket.images.id
  policy = data.aws_iam_policy_document.bucket.json

  depends_on = [aws_s3_bucket_public_access_block.images]
}

# Only where it is asked for by name: what lies in it, anyone on the internet can read.
resource "aws_s3_bucket" "pr_intent" {
  count  = var.pr_intent_bucket_name == "" ? 0 : 1
  bucket = var.pr_intent_bucket_name

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_s3_bucket_ownership_controls" "pr_intent" {
  count  = length(aws_s3_bucket.pr_intent)
  bucket = aws_s3_bucket.pr_intent[0].id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

# ACLs stay blocked: the policy below is the only thing that opens it.
resource "aws_s3_bucket_public_access_block" "pr_intent" {
  count                   = length(aws_s3_bucket.pr_intent)
  bucket                  = aws_s3_bucket.pr_intent[0].id
  block_public_acls       = true
  ignore_public_acls      = true
  block_public_policy     = false
  restrict_public_buckets = false
}

resource "aws_s3_bucket_versioning" "pr_intent" {
  count  = length(aws_s3_bucket.pr_intent)
  bucket = aws_s3_bucket.pr_intent[0].id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "pr_intent" {
  count  = length(aws_s3_bucket.pr_intent)
  bucket = aws_s3_bucket.pr_intent[0].id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "pr_intent" {
  count  = length(aws_s3_bucket.pr_intent)
  bucket = aws_s3_bucket.pr_intent[0].id

  rule {
    id     = "old-versions"
    status = "Enabled"
    filter {}

    noncurrent_version_expiration {
      noncurrent_days = 30
    }
  }

  depends_on = [aws_s3_bucket_versioning.pr_intent]
}

data "aws_iam_policy_document" "pr_intent" {
  count = length(aws_s3_bucket.pr_intent)

  # Objects can be read by anyone who has their address; they cannot be listed.
  statement {
    sid       = "AnyoneReads"
    actions   = ["s3:GetObject"]
    resources = ["${aws_s3_bucket.pr_intent[0].arn}/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }
  }

  # As for the other bucket: nothing in clear text.
  statement {
    sid       = "RefusePlainHttp"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.pr_intent[0].arn, "${aws_s3_bucket.pr_intent[0].arn}/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_s3_bucket_policy" "pr_intent" {
  count  = length(aws_s3_bucket.pr_intent)
  bucket = aws_s3_bucket.pr_intent[0].id
  policy = data.aws_iam_policy_document.pr_intent[0].json

  depends_on = [aws_s3_bucket_public_access_block.pr_intent]
}
