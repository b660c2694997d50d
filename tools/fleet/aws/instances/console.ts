import type { AwsClients } from "../clients.ts";
import { aws, awsErrorCode } from "../errors.ts";
import { cleanConsole } from "./console-text.ts";
import type { Machine } from "./machines.ts";

/** The last lines of what the machine wrote to its console; none while EC2 has nothing of it. */
export async function readConsole(clients: AwsClients, machine: Machine, lines: number): Promise<string[]> {
  const [{ GetConsoleOutputCommand }, client] = await Promise.all([import("@aws-sdk/client-ec2"), clients.ec2()]);
  const read = async (Latest: boolean): Promise<string> => {
    const { Output = "" } = await client.send(new GetConsoleOutputCommand({ InstanceId: machine.id, Latest }));
    return Buffer.from(Output, "base64").toString("utf8");
  };
  const raw = await aws(`reading the console of ${machine.instance} (${machine.id})`, () =>
    read(true).catch((error: unknown) => {
      // Only machines on the Nitro system give out the latest; others what they said at boot.
      if (/^Unsupported/.test(awsErrorCode(error))) return read(false);
      throw error;
    }),
  );
  return cleanConsole(raw, lines);
}
