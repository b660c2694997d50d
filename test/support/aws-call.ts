import type { AwsClients } from "../../tools/fleet/aws/clients.ts";

/** Runs `around` for every HTTP request that the clients send from here on; retries count. */
export async function onEachCall(
  clients: AwsClients,
  around: <T>(operation: string, call: () => Promise<T>) => Promise<T>,
): Promise<void> {
  const where = { step: "finalizeRequest", priority: "low", name: `around-${Math.random()}` } as const;
  const [ec2, s3, ebs] = [await clients.ec2(), await clients.s3(), await clients.ebs()];
  ec2.middlewareStack.add(
    (next, { commandName }) =>
      (input) =>
        around(String(commandName), () => next(input)),
    where,
  );
  s3.middlewareStack.add(
    (next, { commandName }) =>
      (input) =>
        around(String(commandName), () => next(input)),
    where,
  );
  ebs.middlewareStack.add(
    (next, { commandName }) =>
      (input) =>
        around(String(commandName), () => next(input)),
    where,
  );
}
