# What the stack calls things. No provider: `tofu test` runs here without an account or a network.

terraform {
  required_version = ">= 1.10.0"
}

locals {
  desired = var.instances_file == "" ? [] : keys(jsondecode(var.instances_file).instances)
  names   = setunion(var.instance_names, local.desired)

  instance_role = "${var.fleet}-instance"
}
