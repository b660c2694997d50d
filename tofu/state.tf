# The state lies in S3, locked by an object beside it (`use_lockfile`): no table, nothing else to pay for or to clean up.
# Bucket, key and region are given at `tofu init`, because they exist before the stack does:
#
#   tofu init -backend-config=bucket=NAME -backend-config=key=clawdinator/tofu.tfstate -backend-config=region=REGION
#
# The bootstrap makes that bucket (private, versioned, encrypted) and passes all three. Instances and CI cannot read it.

terraform {
  backend "s3" {
    encrypt      = true
    use_lockfile = true
  }
}
