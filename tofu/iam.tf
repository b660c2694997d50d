# Who may do what. Each statement says why it is there; docs/permissions.md says it for people, and what IAM cannot say.
# Roles: `FLEET-instance` (machines of the fleet), `vmimport` (AWS' own import service), `FLEET-image-uploader` (CI).

locals {
  # The role for all, and those of single names; only this stack makes roles that are called so.
  iam_arn               = "arn:${local.partition}:iam::${local.account}"
  instance_role_arns    = ["${local.iam_arn}:role/${var.fleet}-instance", "${local.iam_arn}:role/${var.fleet}-instance-CLAWDINATOR-*"]
  instance_profile_arns = ["${local.iam_arn}:instance-profile/${var.fleet}-instance", "${local.iam_arn}:instance-profile/${var.fleet}-instance-CLAWDINATOR-*"]
  vmimport_role_arn     = "${local.iam_arn}:role/vmimport"
  secret_arn            = "arn:${local.partition}:secretsmanager:${var.aws_region}:${local.account}:secret:clawdinator"

  # Secrets Manager ends each ARN with a dash and six characters of its own.
  shared_secret_arns = [for name in var.shared_secrets : "${local.secret_arn}/${name}-??????"]

  # Where machines of the template lie, and what they are reached by.
  launch_network_arns = concat(local.subnet_arns, [
    aws_security_group.instance.arn,
    aws_launch_template.instance.arn,
    "${local.ec2}:network-interface/*",
    "${local.ec2}:key-pair/${var.fleet}",
  ])

  github_oidc_provider_arn = var.github_oidc_provider_arn != "" ? var.github_oidc_provider_arn : one(aws_iam_openid_connect_provider.github[*].arn)
}

# Instances: who they are.

data "aws_iam_policy_document" "instance_trust" {
  # EC2 hands the role to machines that were launched with its profile.
  statement {
    sid     = "MachinesTakeIt"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ec2.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "instance" {
  name               = module.names.instance_role
  description        = "machines of the fleet ${var.fleet}"
  assume_role_policy = data.aws_iam_policy_document.instance_trust.json

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_iam_instance_profile" "instance" {
  name = module.names.instance_role
  role = aws_iam_role.instance.name

  lifecycle {
    prevent_destroy = true
  }
}

# One more for each name in `instance_names`: the same rights, but the secrets of that name alone.
resource "aws_iam_role" "named" {
  for_each = module.names.named_roles

  name               = each.value
  description        = "${each.key} of the fleet ${var.fleet}"
  assume_role_policy = data.aws_iam_policy_document.instance_trust.json
  tags               = { "clawdinator:name" = each.key }

  # A name that was left out of the variable by mistake has machines that run with this.
  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_iam_instance_profile" "named" {
  for_each = module.names.named_roles

  name = each.value
  role = aws_iam_role.named[each.key].name

  # A name that was left out of the variable by mistake has machines that run with this.
  lifecycle {
    prevent_destroy = true
  }
}
