# Every variable has a default with which nothing is opened to the world and nothing is destroyed. Set them in
# `terraform.tfvars` (the bootstrap writes one) or as TF_VAR_… in the environment.

variable "aws_region" {
  description = "AWS region of everything in the stack"
  type        = string
  default     = "eu-central-1"

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.aws_region))
    error_message = "aws_region is written like eu-central-1."
  }
}

variable "fleet" {
  description = "name of the fleet: value of the tag `clawdinator:fleet`, and first part of the names of roles, launch template and security groups"
  type        = string
  default     = "clawdinator"

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{0,30}$", var.fleet))
    error_message = "fleet takes up to 31 lower-case letters, digits and dashes, and does not begin with a dash."
  }
}

variable "tags" {
  description = "further tags for every resource, such as a cost centre"
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for key in keys(var.tags) : !startswith(lower(key), "aws:") && !startswith(key, "clawdinator")])
    error_message = "tags that begin with aws: or clawdinator are taken: the fleet's permissions hang on them."
  }
}

variable "bucket_name" {
  description = "name of the bucket for the coordination store, repository seeds and images; empty: `FLEET-images-ACCOUNT-REGION`"
  type        = string
  default     = ""

  validation {
    condition     = var.bucket_name == "" || can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.bucket_name))
    error_message = "bucket_name takes 3 to 63 lower-case letters, digits and dashes."
  }
}

variable "pr_intent_bucket_name" {
  description = "name of a second bucket, readable by anyone, for published intents of pull requests; empty: there is none"
  type        = string
  default     = ""

  validation {
    condition     = var.pr_intent_bucket_name == "" || can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.pr_intent_bucket_name))
    error_message = "pr_intent_bucket_name takes 3 to 63 lower-case letters, digits and dashes."
  }
}

variable "vpc_id" {
  description = "VPC of instances and mount targets; empty: the region's default VPC"
  type        = string
  default     = ""

  validation {
    condition     = var.vpc_id == "" || can(regex("^vpc-[0-9a-f]+$", var.vpc_id))
    error_message = "vpc_id is written vpc-…."
  }
}

variable "subnet_ids" {
  description = "subnets of that VPC for instances and mount targets; empty: the default subnet of each zone"
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for subnet in var.subnet_ids : can(regex("^subnet-[0-9a-f]+$", subnet))])
    error_message = "subnet_ids are written subnet-…."
  }
}

variable "public_address" {
  description = "instances have a public IPv4 address; false needs subnets (`subnet_ids`) that give none and reach the internet through a NAT gateway"
  type        = bool
  default     = true
}

variable "ssh_public_key" {
  description = "public key for root, for emergencies; empty: no key. Reachable only from `ssh_cidrs`; sessions through SSM need neither"
  type        = string
  default     = ""

  validation {
    condition     = var.ssh_public_key == "" || can(regex("^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp[0-9]+) [A-Za-z0-9+/=]+", var.ssh_public_key))
    error_message = "ssh_public_key is the one line of a .pub file, such as that of ~/.ssh/id_ed25519.pub."
  }
}

variable "ssh_cidrs" {
  description = "address ranges that reach port 22 of instances; empty: nobody"
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for range in var.ssh_cidrs : can(cidrhost(range, 0))])
    error_message = "ssh_cidrs are address ranges such as 203.0.113.7/32."
  }
}

variable "console_cidrs" {
  description = "address ranges that reach the web console, port 18789; empty: nobody (use an SSM port forward)"
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for range in var.console_cidrs : can(cidrhost(range, 0))])
    error_message = "console_cidrs are address ranges such as 203.0.113.7/32."
  }
}

variable "egress_ports" {
  description = "TCP ports on which instances reach the internet; NFS to the memory's mount targets is open besides"
  type        = set(number)
  default     = [443]

  validation {
    condition     = alltrue([for port in var.egress_ports : port > 0 && port < 65536])
    error_message = "egress_ports are TCP ports."
  }
}

variable "instance_type" {
  description = "EC2 type of instances"
  type        = string
  default     = "t3.small"

  validation {
    condition     = can(regex("^[a-z0-9-]+[.][a-z0-9-]+$", var.instance_type))
    error_message = "instance_type is an EC2 type such as t3.small."
  }
}

variable "root_volume_gib" {
  description = "size of an instance's root volume, GiB"
  type        = number
  default     = 40

  validation {
    condition     = var.root_volume_gib >= 8 && var.root_volume_gib <= 1024 && floor(var.root_volume_gib) == var.root_volume_gib
    error_message = "root_volume_gib is a whole number between 8 and 1024."
  }
}

variable "ami_id" {
  description = "image of a first instance that this stack launches; empty: infrastructure only, and the fleet program launches. Taking it away again destroys nothing: the plan is refused"
  type        = string
  default     = ""

  validation {
    condition     = var.ami_id == "" || can(regex("^ami-[0-9a-f]{8,17}$", var.ami_id))
    error_message = "ami_id is written ami-…."
  }
}

variable "first_instance_name" {
  description = "name of the instance that `ami_id` launches"
  type        = string
  default     = "CLAWDINATOR-1"

  validation {
    condition     = can(regex("^CLAWDINATOR-[1-9][0-9]{0,3}$", var.first_instance_name))
    error_message = "first_instance_name is CLAWDINATOR-n."
  }
}

variable "instance_names" {
  description = "names that get a role and an instance profile of their own, which alone may read that name's secrets; empty: one role for all, which may read every name's"
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for name in var.instance_names : can(regex("^CLAWDINATOR-[1-9][0-9]{0,3}$", name))])
    error_message = "instance_names are CLAWDINATOR-n."
  }
}

variable "instances_file" {
  description = "path of the fleet repository's `nix/instances.json`: its names count as `instance_names` too; empty: it is not read"
  type        = string
  default     = ""

  validation {
    condition     = var.instances_file == "" || can(jsondecode(file(var.instances_file)).instances)
    error_message = "instances_file is the path of a fleet's nix/instances.json."
  }
}

variable "shared_secrets" {
  description = "secrets below `clawdinator/` that every instance may read"
  type        = set(string)
  default     = ["anthropic-api-key", "discord-token", "github-app-pem", "openai-api-key"]

  validation {
    condition     = alltrue([for name in var.shared_secrets : can(regex("^[a-z0-9][a-z0-9-]*$", name))])
    error_message = "shared_secrets are names without a path: lower-case letters, digits and dashes."
  }
}

variable "create_vmimport_role" {
  description = "make the role `vmimport`; false where the account has it already, for whatever other purpose"
  type        = bool
  default     = true
}

variable "ci_repository" {
  description = "GitHub repository, OWNER/NAME, whose workflows may build and import images by OIDC; empty: no such role"
  type        = string
  default     = ""

  validation {
    condition     = var.ci_repository == "" || can(regex("^[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+$", var.ci_repository))
    error_message = "ci_repository is written OWNER/NAME."
  }
}

variable "ci_branch" {
  description = "the branch of `ci_repository` whose workflows may take the role"
  type        = string
  default     = "main"

  validation {
    condition     = can(regex("^[A-Za-z0-9._/-]+$", var.ci_branch))
    error_message = "ci_branch is one branch's name, without wildcards."
  }
}

variable "github_oidc_provider_arn" {
  description = "the account's OIDC provider for GitHub Actions, of which there can be only one; empty: it is made here"
  type        = string
  default     = ""

  validation {
    condition     = var.github_oidc_provider_arn == "" || can(regex("^arn:[a-z-]+:iam::[0-9]{12}:oidc-provider/token[.]actions[.]githubusercontent[.]com$", var.github_oidc_provider_arn))
    error_message = "github_oidc_provider_arn is written arn:aws:iam::ACCOUNT:oidc-provider/token.actions.githubusercontent.com."
  }
}

variable "create_ci_user" {
  description = "make the IAM user `clawdinator-image-uploader` with a long-lived access key, which then lies in the state; for CI that has no OIDC"
  type        = bool
  default     = false
}

variable "memory_backup" {
  description = "AWS Backup keeps daily copies of the hive-mind memory for 35 days (billed by size)"
  type        = bool
  default     = true
}
