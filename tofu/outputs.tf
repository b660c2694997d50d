# What the program's configuration, CI and people need. The first group has the names that the seed gave them.

output "bucket_name" {
  description = "bucket of the coordination store, repository seeds and images: `aws.bucket`"
  value       = aws_s3_bucket.images.bucket
}

output "aws_region" {
  description = "region of everything: `aws.region`"
  value       = var.aws_region
}

output "access_key_id" {
  description = "access key of the CI user, where `create_ci_user` made one"
  value       = one(aws_iam_access_key.ci[*].id)
  sensitive   = true
}

output "secret_access_key" {
  description = "secret of that key"
  value       = one(aws_iam_access_key.ci[*].secret)
  sensitive   = true
}

output "ci_user_name" {
  description = "the CI user, where there is one"
  value       = one(aws_iam_user.ci[*].name)
}

output "efs_file_system_id" {
  description = "file system of the hive-mind memory: `aws.fileSystem`"
  value       = aws_efs_file_system.memory.id
}

output "instance_id" {
  description = "the first instance, where `ami_id` launched one"
  value       = one(aws_instance.first[*].id)
}

output "instance_public_ip" {
  description = "its public address"
  value       = one(aws_instance.first[*].public_ip)
}

output "instance_public_dns" {
  description = "its public name"
  value       = one(aws_instance.first[*].public_dns)
}

output "fleet" {
  description = "value of the tag `clawdinator:fleet`: `aws.fleet`"
  value       = var.fleet
}

output "launch_template_id" {
  description = "launch template of instances: `aws.launchTemplate`"
  value       = aws_launch_template.instance.id
}

output "launch_template_version" {
  description = "its default version"
  value       = aws_launch_template.instance.default_version
}

output "subnet_ids" {
  description = "subnets for instances: `aws.subnets`"
  value       = local.subnet_ids
}

output "security_group_id" {
  description = "security group of instances"
  value       = aws_security_group.instance.id
}

output "efs_security_group_id" {
  description = "security group of the memory's mount targets"
  value       = aws_security_group.memory.id
}

output "efs_access_point_id" {
  description = "access point of the memory, for clients that present a role"
  value       = aws_efs_access_point.memory.id
}

output "instance_role" {
  description = "role of instances"
  value       = aws_iam_role.instance.name
}

output "instance_profile" {
  description = "instance profile in the launch template"
  value       = aws_iam_instance_profile.instance.name
}

output "named_instance_profiles" {
  description = "instance profile by name, where `instance_names` made some"
  value       = module.names.named_roles
}

output "vmimport_role" {
  description = "role of VM Import"
  value       = "vmimport"
}

output "ci_role_arn" {
  description = "role for CI by OIDC, where `ci_repository` is set: `role-to-assume` of the workflow"
  value       = one(aws_iam_role.ci[*].arn)
}

output "switch_document" {
  description = "SSM document of the fast lane"
  value       = aws_ssm_document.switch.name
}

output "pr_intent_bucket_name" {
  description = "the public bucket, where it was asked for"
  value       = one(aws_s3_bucket.pr_intent[*].bucket)
}

output "secret_names" {
  description = "shared secrets that instances look for; the bootstrap stores their values, which never lie in the state"
  value       = [for name in sort(tolist(var.shared_secrets)) : "clawdinator/${name}"]
}
