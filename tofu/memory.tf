# The hive-mind memory: one encrypted NFS file system that every instance mounts at /memory.

resource "aws_efs_file_system" "memory" {
  creation_token   = "${var.fleet}-memory"
  encrypted        = true
  performance_mode = "generalPurpose"
  throughput_mode  = "elastic"
  tags             = { Name = "${var.fleet}-memory" }

  # Old conversations cost a tenth there, and come back when they are read.
  lifecycle_policy {
    transition_to_ia = "AFTER_30_DAYS"
  }

  lifecycle_policy {
    transition_to_primary_storage_class = "AFTER_1_ACCESS"
  }

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_efs_mount_target" "memory" {
  for_each = local.subnets_by_zone

  file_system_id  = aws_efs_file_system.memory.id
  subnet_id       = each.value[0]
  security_groups = [aws_security_group.memory.id]
}

# For clients that present a role (amazon-efs-utils): whoever comes through it is the program's user (`uid` of the NixOS
# module), never root. Instances mount the root through a plain TLS tunnel.
resource "aws_efs_access_point" "memory" {
  file_system_id = aws_efs_file_system.memory.id
  tags           = { Name = "${var.fleet}-memory" }

  posix_user {
    uid = 10001
    gid = 10001
  }

  root_directory {
    path = "/"
  }

  lifecycle {
    prevent_destroy = true
  }
}

data "aws_iam_policy_document" "memory" {
  # NFS has no encryption of its own: only the TLS tunnel gets through.
  statement {
    sid       = "RefuseWithoutTls"
    effect    = "Deny"
    actions   = ["*"]
    resources = [aws_efs_file_system.memory.arn]

    principals {
      type        = "AWS"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }

  # A plain TLS tunnel presents no IAM identity; the security group of the mount targets lets in instances alone. Root,
  # because an instance's first boot makes the directories and gives them to the program's user.
  statement {
    sid       = "InstancesMount"
    actions   = ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite", "elasticfilesystem:ClientRootAccess"]
    resources = [aws_efs_file_system.memory.arn]

    principals {
      type        = "AWS"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "elasticfilesystem:AccessedViaMountTarget"
      values   = ["true"]
    }
  }
}

resource "aws_efs_file_system_policy" "memory" {
  file_system_id = aws_efs_file_system.memory.id
  policy         = data.aws_iam_policy_document.memory.json
}

resource "aws_efs_backup_policy" "memory" {
  file_system_id = aws_efs_file_system.memory.id

  backup_policy {
    status = var.memory_backup ? "ENABLED" : "DISABLED"
  }
}
