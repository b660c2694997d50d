# What may run this stack. The lock file `.terraform.lock.hcl`, made by the first `tofu init`, pins the provider exactly:
# commit it to the fleet repository.

terraform {
  # 1.10 brought locking of the state in S3 itself (`use_lockfile`, see state.tf).
  required_version = ">= 1.10.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.25"
    }
  }
}

provider "aws" {
  region = var.aws_region

  # Every resource that takes tags says whose it is; the fleet program never changes what does not.
  default_tags {
    tags = local.tags
  }
}

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition

  tags = merge(var.tags, {
    "clawdinator"       = "true"
    "clawdinator:fleet" = var.fleet
  })

  # Prefix of the ARNs of EC2 resources in this region. Images and snapshots have no account in theirs.
  ec2         = "arn:${local.partition}:ec2:${var.aws_region}:${local.account}"
  ec2_unowned = "arn:${local.partition}:ec2:${var.aws_region}:*"
}

# Names that follow from the variables, without a provider: they have tests of their own.
module "names" {
  source = "./names"

  fleet          = var.fleet
  region         = var.aws_region
  account        = local.account
  bucket_name    = var.bucket_name
  instance_names = var.instance_names
  instances_file = var.instances_file == "" ? "" : file(var.instances_file)
}
