# Where instances live, and what reaches them: by default nothing.

data "aws_vpc" "chosen" {
  id      = var.vpc_id == "" ? null : var.vpc_id
  default = var.vpc_id == "" ? true : null

  lifecycle {
    precondition {
      condition     = (var.vpc_id == "") == (length(var.subnet_ids) == 0)
      error_message = "vpc_id and subnet_ids are given together or not at all."
    }
  }
}

data "aws_subnets" "default" {
  count = length(var.subnet_ids) == 0 ? 1 : 0

  filter {
    name   = "vpc-id"
    values = [data.aws_vpc.chosen.id]
  }

  filter {
    name   = "default-for-az"
    values = ["true"]
  }
}

data "aws_subnet" "chosen" {
  for_each = toset(length(var.subnet_ids) == 0 ? data.aws_subnets.default[0].ids : var.subnet_ids)
  id       = each.value

  lifecycle {
    postcondition {
      condition     = self.vpc_id == data.aws_vpc.chosen.id
      error_message = "subnet_ids must lie in the VPC vpc_id."
    }
  }
}

locals {
  # Sorted, so that a list in another order changes nothing.
  subnet_ids  = sort([for subnet in data.aws_subnet.chosen : subnet.id])
  subnet_arns = [for subnet in data.aws_subnet.chosen : subnet.arn]

  # A file system takes one mount target a zone: the first subnet of each.
  subnets_by_zone = { for id in local.subnet_ids : data.aws_subnet.chosen[id].availability_zone => id... }
}

resource "aws_security_group" "instance" {
  name        = var.fleet
  description = "CLAWDINATOR instances"
  vpc_id      = data.aws_vpc.chosen.id
  tags        = { Name = var.fleet }

  lifecycle {
    prevent_destroy = true
  }
}

# Off unless somebody names an address range: sessions go through SSM, which needs no open port.
resource "aws_vpc_security_group_ingress_rule" "ssh" {
  for_each = toset(var.ssh_cidrs)

  security_group_id = aws_security_group.instance.id
  description       = "SSH, for emergencies"
  ip_protocol       = "tcp"
  from_port         = 22
  to_port           = 22
  cidr_ipv4         = strcontains(each.value, ":") ? null : each.value
  cidr_ipv6         = strcontains(each.value, ":") ? each.value : null
}

# Closed unless somebody names an address range: the console speaks plain HTTP, so prefer a port forward through SSM.
resource "aws_vpc_security_group_ingress_rule" "console" {
  for_each = toset(var.console_cidrs)

  security_group_id = aws_security_group.instance.id
  description       = "web console"
  ip_protocol       = "tcp"
  from_port         = 18789
  to_port           = 18789
  cidr_ipv4         = strcontains(each.value, ":") ? null : each.value
  cidr_ipv6         = strcontains(each.value, ":") ? each.value : null
}

# Models, Discord, GitHub, caches of Nix and the AWS services are all HTTPS. Name resolution and time come from the
# VPC itself and pass no security group.
resource "aws_vpc_security_group_egress_rule" "internet" {
  for_each = toset([for port in var.egress_ports : tostring(port)])

  security_group_id = aws_security_group.instance.id
  description       = "to the internet, port ${each.value}"
  ip_protocol       = "tcp"
  from_port         = tonumber(each.value)
  to_port           = tonumber(each.value)
  cidr_ipv4         = "0.0.0.0/0"
}

resource "aws_vpc_security_group_egress_rule" "internet_ipv6" {
  for_each = toset([for port in var.egress_ports : tostring(port)])

  security_group_id = aws_security_group.instance.id
  description       = "to the internet, port ${each.value}"
  ip_protocol       = "tcp"
  from_port         = tonumber(each.value)
  to_port           = tonumber(each.value)
  cidr_ipv6         = "::/0"
}

resource "aws_vpc_security_group_egress_rule" "memory" {
  security_group_id            = aws_security_group.instance.id
  description                  = "hive-mind memory, NFS"
  ip_protocol                  = "tcp"
  from_port                    = 2049
  to_port                      = 2049
  referenced_security_group_id = aws_security_group.memory.id
}

resource "aws_security_group" "memory" {
  name        = "${var.fleet}-efs"
  description = "mount targets of the hive-mind memory"
  vpc_id      = data.aws_vpc.chosen.id
  tags        = { Name = "${var.fleet}-efs" }

  lifecycle {
    prevent_destroy = true
  }
}

# From instances only. Mount targets open no connections, so they have no egress rule.
resource "aws_vpc_security_group_ingress_rule" "memory" {
  security_group_id            = aws_security_group.memory.id
  description                  = "NFS from instances"
  ip_protocol                  = "tcp"
  from_port                    = 2049
  to_port                      = 2049
  referenced_security_group_id = aws_security_group.instance.id
}
