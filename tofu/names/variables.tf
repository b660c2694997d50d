variable "fleet" {
  description = "name of the fleet"
  type        = string
}

variable "region" {
  description = "AWS region"
  type        = string
}

variable "account" {
  description = "AWS account id"
  type        = string
}

variable "bucket_name" {
  description = "name of the bucket where one was chosen, else empty"
  type        = string
  default     = ""
}

variable "instance_names" {
  description = "names with a role of their own"
  type        = set(string)
  default     = []
}

variable "instances_file" {
  description = "content of `nix/instances.json`, or empty"
  type        = string
  default     = ""
}
