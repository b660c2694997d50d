# What an instance is launched as. The fleet program launches, replaces and retires instances itself, from a pinned
# version of this template; the stack launches one only where `ami_id` says so.

resource "aws_key_pair" "maintainer" {
  count = var.ssh_public_key == "" ? 0 : 1

  key_name   = var.fleet
  public_key = var.ssh_public_key
}

resource "aws_launch_template" "instance" {
  name                   = var.fleet
  description            = "instances of the fleet ${var.fleet}"
  update_default_version = true
  image_id               = var.ami_id == "" ? null : var.ami_id
  instance_type          = var.instance_type
  key_name               = one(aws_key_pair.maintainer[*].key_name)
  vpc_security_group_ids = [aws_security_group.instance.id]

  iam_instance_profile {
    name = aws_iam_instance_profile.instance.name
  }

  # IMDSv2 only, and not from containers or forwarded packets: a request needs a token and dies after one hop.
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
    instance_metadata_tags      = "enabled"
  }

  block_device_mappings {
    device_name = "/dev/xvda"

    ebs {
      volume_type           = "gp3"
      volume_size           = var.root_volume_gib
      encrypted             = true
      delete_on_termination = true
    }
  }

  # A machine that shuts itself down is stopped, not gone: its logs can still be read.
  instance_initiated_shutdown_behavior = "stop"

  dynamic "tag_specifications" {
    for_each = ["instance", "volume", "network-interface"]

    content {
      resource_type = tag_specifications.value
      tags          = local.tags
    }
  }

  lifecycle {
    prevent_destroy = true

    precondition {
      condition     = alltrue([for subnet in data.aws_subnet.chosen : subnet.map_public_ip_on_launch == var.public_address])
      error_message = "A subnet decides whether its machines get a public address. With public_address = true give subnets that assign one (the default VPC's do); with false give, by vpc_id and subnet_ids, private ones behind a NAT gateway."
    }
  }
}

# The first instance, only with `ami_id`.

data "aws_ami" "first" {
  count = var.ami_id == "" ? 0 : 1

  owners      = ["self"]
  most_recent = true

  filter {
    name   = "image-id"
    values = [var.ami_id]
  }

  lifecycle {
    postcondition {
      condition     = lookup(self.tags, "clawdinator", "") == "true" && lookup(self.tags, "clawdinator:revision", "") != ""
      error_message = "ami_id is not an image of this fleet: `clawdinator image list` shows them."
    }
  }
}

resource "aws_instance" "first" {
  count = var.ami_id == "" ? 0 : 1

  ami       = var.ami_id
  subnet_id = local.subnet_ids[0]

  iam_instance_profile = lookup(module.names.named_roles, var.first_instance_name, module.names.instance_role)

  launch_template {
    id      = aws_launch_template.instance.id
    version = aws_launch_template.instance.latest_version
  }

  # Stated again, so that no change of the template can ever open it.
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
    instance_metadata_tags      = "enabled"
  }

  root_block_device {
    volume_type = "gp3"
    volume_size = var.root_volume_gib
    encrypted   = true
  }

  # Who it is, in the form in which the fleet program tells each machine; no secret.
  user_data = jsonencode({
    formatVersion = 1
    instance      = "i-first"
    name          = var.first_instance_name
    image         = data.aws_ami.first[0].tags["clawdinator:image"]
    revision      = data.aws_ami.first[0].tags["clawdinator:revision"]
    port          = null
  })

  tags = {
    Name                   = var.first_instance_name
    "clawdinator:instance" = "i-first"
    "clawdinator:name"     = var.first_instance_name
    "clawdinator:image"    = data.aws_ami.first[0].tags["clawdinator:image"]
    "clawdinator:revision" = data.aws_ami.first[0].tags["clawdinator:revision"]
  }

  depends_on = [aws_efs_mount_target.memory, aws_iam_instance_profile.named]

  # From its launch on the fleet replaces it, by a plan that was approved: a newer `ami_id`, another type or network
  # changes nothing here, and none at all is refused.
  lifecycle {
    prevent_destroy = true
    ignore_changes  = [ami, user_data, subnet_id, launch_template, iam_instance_profile, root_block_device, tags, tags_all]
  }
}

# The fast lane: one command that takes a full commit id and nothing else. What it starts on the machine fetches and
# verifies that revision itself.
resource "aws_ssm_document" "switch" {
  name            = "clawdinator-switch"
  document_type   = "Command"
  document_format = "JSON"
  target_type     = "/AWS::EC2::Instance"

  content = jsonencode({
    schemaVersion = "2.2"
    description   = "Switch an instance to a pinned revision of its program."

    parameters = {
      revision = {
        type           = "String"
        description    = "full commit id, 40 hexadecimal digits"
        allowedPattern = "^[0-9a-f]{40}$"
      }
    }

    mainSteps = [{
      name   = "switch"
      action = "aws:runShellScript"

      inputs = {
        timeoutSeconds = "3600"
        runCommand     = ["systemctl start 'clawdinator-switch@{{ revision }}.service'"]
      }
    }]
  })
}
