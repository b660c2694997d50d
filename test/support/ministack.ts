/**
 * An emulator kept by others that enforces IAM policies (ministack from PyPI, with AUTH=true): started on a free
 * loopback port, and its policy evaluator alone for requests that its API does not take apart as AWS does.
 */
import { spawn, spawnSync } from "node:child_process";
import { createHash, createHmac } from "node:crypto";
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { emulatorRegion } from "./aws.ts";
import type { PolicyDocument } from "./policy.ts";
import { end, freePort } from "./server-process.ts";
import { waitFor } from "./wait.ts";

const version = "1.5.33";
/** The one account of the emulator. */
export const ministackAccount = "000000000000";
const root: Credentials = { accessKeyId: "test", secretAccessKey: "test" };

export interface Credentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
}

export interface Ministack {
  url: string;
  /** The account's root, who may do anything. */
  root: Credentials;
  /** What an SDK client of this principal takes. */
  clientOptions(credentials: Credentials): { region: string; endpoint: string; credentials: Credentials };
  /** A call of the query protocol (IAM, STS, EC2), signed; returns the answer's status and text. */
  call(
    credentials: Credentials,
    service: "iam" | "sts" | "ec2",
    parameters: Record<string, string>,
  ): Promise<{ status: number; text: string }>;
  /** A role with these inline policies, assumed. */
  assume(role: string, policies: readonly PolicyDocument[]): Promise<Credentials>;
}

/** The virtual environment's Python, installed once; null where there is no Python to install it with. */
export function findMinistack(): string | null {
  const cache = process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache");
  const directory = join(cache, `clawdinator-test-ministack-${version}`);
  const python = join(directory, "bin", "python");
  if (existsSync(python)) return python;
  const staging = `${directory}.${process.pid}`;
  mkdirSync(cache, { recursive: true });
  const made = spawnSync("python3", ["-m", "venv", staging], { stdio: "ignore" }).status === 0;
  const stagedPython = join(staging, "bin", "python");
  const parameters = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", `ministack==${version}`];
  if (!made || spawnSync(stagedPython, parameters, { stdio: "ignore" }).status !== 0) {
    rmSync(staging, { recursive: true, force: true });
    return null;
  }
  try {
    renameSync(staging, directory);
  } catch (error) {
    // Another test file was faster.
    rmSync(staging, { recursive: true, force: true });
    if (!existsSync(python)) throw error;
  }
  return python;
}

/** Starts it with nothing in it but the account's root; it ends with the test (or at what `atEnd` is given). */
export async function startMinistack(
  python: string,
  options: { atEnd?: (work: () => void | Promise<void>) => void } = {},
): Promise<Ministack> {
  const { atEnd = onTestFinished } = options;
  const port = await freePort();
  const child = spawn(python, [join(import.meta.dirname, "ministack-serve.py")], {
    stdio: ["ignore", "ignore", "pipe"],
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      AUTH: "true",
      BIND_HOST: "127.0.0.1",
      GATEWAY_PORT: String(port),
      MINISTACK_REGION: emulatorRegion,
      MINISTACK_ACCOUNT_ID: ministackAccount,
      LOG_LEVEL: "WARNING",
      IOT_MTLS_ENABLED: "0",
    },
  });
  let said = "";
  child.stderr.on("data", (chunk) => {
    said = (said + chunk).slice(-4000);
  });
  atEnd(() => end(child));
  const url = `http://127.0.0.1:${port}`;
  await waitFor(
    async () => {
      if (child.exitCode !== null) throw new Error(`ministack ended: ${said}`);
      return (await fetch(`${url}/_ministack/health`).catch(() => null))?.ok === true;
    },
    { timeoutMs: 60_000, what: "ministack" },
  );
  const call: Ministack["call"] = (credentials, service, parameters) =>
    signedCall({ url, credentials, service, parameters });
  const must = async (parameters: Record<string, string>, service: "iam" | "sts" = "iam"): Promise<string> => {
    const { status, text } = await call(root, service, parameters);
    if (status !== 200) throw new Error(`${parameters.Action} was refused by ministack: ${text}`);
    return text;
  };
  return {
    url,
    root,
    clientOptions: (credentials) => ({ region: emulatorRegion, endpoint: url, credentials }),
    call,
    async assume(role, policies) {
      const trust = {
        Version: "2012-10-17",
        Statement: [
          {
            Effect: "Allow",
            Principal: { AWS: `arn:aws:iam::${ministackAccount}:root` },
            Action: "sts:AssumeRole",
          },
        ],
      };
      await must({ Action: "CreateRole", RoleName: role, AssumeRolePolicyDocument: JSON.stringify(trust) });
      for (const [index, policy] of policies.entries()) {
        await must({
          Action: "PutRolePolicy",
          RoleName: role,
          PolicyName: `policy-${index}`,
          PolicyDocument: JSON.stringify(policy),
        });
      }
      const RoleArn = `arn:aws:iam::${ministackAccount}:role/${role}`;
      return credentialsOf(await must({ Action: "AssumeRole", RoleArn, RoleSessionName: "i-0123456789" }, "sts"));
    },
  };
}

/** Temporary credentials in an answer of STS. */
export function credentialsOf(text: string): Credentials {
  const field = (name: string): string => new RegExp(`<${name}>([^<]*)</${name}>`).exec(text)?.[1] ?? "";
  return {
    accessKeyId: field("AccessKeyId"),
    secretAccessKey: field("SecretAccessKey"),
    sessionToken: field("SessionToken"),
  };
}

/** One authorization that AWS makes: the action on one resource, with what the request says of it. */
export interface AuthorizationRequest {
  action: string;
  resource: string;
  context: Record<string, string | string[]>;
}

/** For each call, given as all authorizations that AWS makes for it, whether every one is allowed. */
export function decide(
  python: string,
  policies: readonly PolicyDocument[],
  calls: readonly (readonly AuthorizationRequest[])[],
): boolean[] {
  const input = {
    policies,
    requests: calls.flat(),
    principal: `arn:aws:sts::${ministackAccount}:assumed-role/clawdinator-instance/i-0123456789`,
    account: ministackAccount,
    region: emulatorRegion,
  };
  const result = spawnSync(python, [join(import.meta.dirname, "policy-evaluate.py")], {
    input: JSON.stringify(input),
    encoding: "utf8",
  });
  if (result.status !== 0) throw new Error(`the policy evaluator failed: ${result.stderr}`);
  const decisions = JSON.parse(result.stdout) as string[];
  let at = 0;
  return calls.map((call) => {
    const ofCall = decisions.slice(at, at + call.length);
    at += call.length;
    return ofCall.every((decision) => decision === "Allow");
  });
}

/** Signature version 4, for the services of which the project has no SDK client. */
async function signedCall(options: {
  url: string;
  credentials: Credentials;
  service: string;
  parameters: Record<string, string>;
}): Promise<{ status: number; text: string }> {
  const { url, credentials, service, parameters } = options;
  const apiVersion = { iam: "2010-05-08", sts: "2011-06-15", ec2: "2016-11-15" }[service] ?? "";
  const body = new URLSearchParams({ ...parameters, Version: apiVersion }).toString();
  const time = new Date().toISOString().replaceAll(/[:-]|\.\d{3}/g, "");
  const date = time.slice(0, 8);
  const headers: Record<string, string> = {
    "content-type": "application/x-www-form-urlencoded",
    host: new URL(url).host,
    "x-amz-date": time,
    ...(credentials.sessionToken ? { "x-amz-security-token": credentials.sessionToken } : {}),
  };
  const names = Object.keys(headers).sort();
  const canonical = [
    "POST",
    "/",
    "",
    ...names.map((name) => `${name}:${headers[name]}`),
    "",
    names.join(";"),
    sha256(body),
  ].join("\n");
  const scope = `${date}/${emulatorRegion}/${service}/aws4_request`;
  const toSign = ["AWS4-HMAC-SHA256", time, scope, sha256(canonical)].join("\n");
  const key = [date, emulatorRegion, service, "aws4_request"].reduce<Buffer>(
    (former, part) => hmac(former, part),
    Buffer.from(`AWS4${credentials.secretAccessKey}`),
  );
  const signature = hmac(key, toSign).toString("hex");
  headers.authorization = `AWS4-HMAC-SHA256 Credential=${credentials.accessKeyId}/${scope}, SignedHeaders=${names.join(";")}, Signature=${signature}`;
  const { host: _, ...sent } = headers;
  const response = await fetch(url, { method: "POST", headers: sent, body });
  return { status: response.status, text: await response.text() };
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}
