output "bucket_name" {
  description = "bucket of store, seeds and images"
  value       = var.bucket_name == "" ? "${var.fleet}-images-${var.account}-${var.region}" : var.bucket_name
}

output "instance_role" {
  description = "role, and instance profile, of instances that have none of their own"
  value       = local.instance_role
}

output "named_roles" {
  description = "role, and instance profile, by the name of the instance that has its own"
  value       = { for name in local.names : name => "${local.instance_role}-${name}" }
}

output "all_roles" {
  description = "every role of an instance"
  value       = toset(concat([local.instance_role], [for name in local.names : "${local.instance_role}-${name}"]))
}
