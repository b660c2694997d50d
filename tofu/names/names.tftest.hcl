variables {
  fleet   = "clawdinator"
  region  = "eu-central-1"
  account = "123456789012"
}

run "names_of_the_seed" {
  assert {
    condition     = output.bucket_name == "clawdinator-images-123456789012-eu-central-1"
    error_message = "the bucket's name is derived from fleet, account and region"
  }

  assert {
    condition     = output.instance_role == "clawdinator-instance" && output.all_roles == toset(["clawdinator-instance"])
    error_message = "one role for all instances"
  }

  assert {
    condition     = length(output.named_roles) == 0
    error_message = "nobody has a role of their own"
  }
}

run "chosen_bucket" {
  variables {
    bucket_name = "mine"
  }

  assert {
    condition     = output.bucket_name == "mine"
    error_message = "a bucket that was named keeps its name"
  }
}

run "roles_by_name" {
  variables {
    instance_names = ["CLAWDINATOR-1", "CLAWDINATOR-2"]
    instances_file = "{\"formatVersion\": 1, \"instances\": {\"CLAWDINATOR-2\": {}, \"CLAWDINATOR-3\": {}}}"
  }

  assert {
    condition = output.named_roles == {
      "CLAWDINATOR-1" = "clawdinator-instance-CLAWDINATOR-1"
      "CLAWDINATOR-2" = "clawdinator-instance-CLAWDINATOR-2"
      "CLAWDINATOR-3" = "clawdinator-instance-CLAWDINATOR-3"
    }
    error_message = "names of the variable and of the file each get one role"
  }

  assert {
    condition     = length(output.all_roles) == 4
    error_message = "the common role stays"
  }
}
