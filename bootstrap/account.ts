/** Whose AWS account this is. */
import { ConfigError } from "../tools/errors.ts";
import type { AwsClients } from "../tools/fleet/aws/clients.ts";
import { aws } from "../tools/fleet/aws/errors.ts";

export interface AwsAccount {
  id: string;
  /** The caller as AWS knows it. */
  arn: string;
}

const known = new WeakMap<AwsClients, Promise<AwsAccount>>();

/** Asked once; throws ProviderError where the credentials are missing, unknown or expired. */
export function accountOf(clients: AwsClients): Promise<AwsAccount> {
  let account = known.get(clients);
  if (!account) {
    account = ask(clients);
    // A failure is not remembered: the user may log in meanwhile.
    account.catch(() => known.delete(clients));
    known.set(clients, account);
  }
  return account;
}

async function ask(clients: AwsClients): Promise<AwsAccount> {
  return aws("asking AWS whose credentials these are", async () => {
    const [{ GetCallerIdentityCommand }, client] = await Promise.all([import("@aws-sdk/client-sts"), clients.sts()]);
    const { Account, Arn } = await client.send(new GetCallerIdentityCommand({}));
    if (Account && Arn) return { id: Account, arn: Arn };
    throw new ConfigError("AWS did not say whose credentials these are", {
      code: "aws_identity_unknown",
      hint: "check AWS_PROFILE and `aws sts get-caller-identity`",
    });
  });
}
