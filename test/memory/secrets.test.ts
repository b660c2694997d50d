/** What is refused as a credential, and what real text must not be refused for. */
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import fc from "fast-check";
import { expect, onTestFinished, test } from "vitest";
import { openMemory } from "../../memory/index.ts";
import { findSecret, hideShapes } from "../../memory/secrets.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const root = join(import.meta.dirname, "../..");
const upper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const digits = "0123456789";
const letters = upper + upper.toLowerCase();

function drawn(alphabet: string, length: number | [number, number]): fc.Arbitrary<string> {
  const [minLength, maxLength] = typeof length === "number" ? [length, length] : length;
  return fc.string({ unit: fc.constantFrom(...alphabet), minLength, maxLength });
}

const base62 = letters + digits;
const base64url = `${base62}_-`;
/** Each with the words in which it is told. */
const keys: { [kind: string]: fc.Arbitrary<string>[] } = {
  "a GitHub token": [
    fc.tuple(fc.constantFrom("ghp_", "gho_", "ghs_", "ghu_", "ghr_"), drawn(base62, 36)).map((parts) => parts.join("")),
    drawn(`${base62}_`, 82).map((rest) => `github_pat_${rest}`),
  ],
  "an AWS access key id": [
    fc.tuple(fc.constantFrom("AKIA", "ASIA"), drawn(upper + digits, 16)).map((parts) => parts.join("")),
  ],
  "a model provider's API key": [
    drawn(base64url, [40, 100]).map((rest) => `sk-ant-api03-${rest}`),
    drawn(base62, 48).map((rest) => `sk-proj-${rest}`),
    drawn(base62, 32).map((rest) => `sk-${rest}`),
  ],
  "a CLAWDINATOR token": [drawn(base64url, 43).map((rest) => `clawd_1_${rest}`)],
  "a Slack token": [drawn(base62, 24).map((rest) => `xoxb-123456789012-${rest}`)],
  "a Discord token": [
    fc
      .tuple(fc.constantFrom("M", "N", "O"), drawn(base64url, 25), drawn(base64url, 6), drawn(base62, 38))
      .map(([first, id, time, signature]) => `${first}${id}.${time}.${signature}`),
  ],
  "a Google API key": [drawn(base64url, 35).map((rest) => `AIza${rest}`)],
  "a GitLab token": [drawn(base62, 20).map((rest) => `glpat-${rest}`)],
  "a package registry's token": [drawn(base62, 36).map((rest) => `npm_${rest}`)],
  "a Stripe key": [drawn(base62, 24).map((rest) => `sk_live_${rest}`)],
  "a private key": [
    fc.constantFrom("", "RSA ", "EC ", "OPENSSH ", "ENCRYPTED ").map((kind) => `-----BEGIN ${kind}PRIVATE KEY-----`),
  ],
  "a signed web token": [
    fc
      .tuple(drawn(base64url, 20), drawn(base64url, 40), drawn(base64url, 43))
      .map(([head, body, signature]) => `eyJ${head}.eyJ${body}.${signature}`),
  ],
};

const proseLine = fc.constantFrom(
  "",
  "# Operations",
  "- The canary is CLAWDINATOR-2 since 2026-01-31.",
  "See https://example.org/issues/12#comment-3 and `agent/mind/prompt.ts`.",
  "| a | b |",
);

test("a key of every known shape is found wherever it stands, by line and kind, and never echoed", async () => {
  const memory = openMemory({ directory: temporaryDirectory(), writer: "w" });
  onTestFinished(() => memory.close());
  for (const [kind, shapes] of Object.entries(keys)) {
    for (const shape of shapes) {
      await fc.assert(
        fc.asyncProperty(
          shape,
          fc.array(proseLine, { maxLength: 5 }),
          fc.array(proseLine, { maxLength: 3 }),
          fc.constantFrom(["", ""], ["the key is ", " for now"], ['{"value": "', '"}'], ["`", "`"], ["x=", "\\n"]),
          async (key, before, after, [left = "", right = ""]) => {
            const text = [...before, `${left}${key}${right}`, ...after].join("\n");
            const found = findSecret(text);
            expect(found?.line).toBe(before.length + 1);
            // A name before it may say first what it is.
            expect([kind, "a secret value", "a password"]).toContain(found?.kind);
            expect(hideShapes(text)).not.toContain(key);
            const refused = await memory
              .write("notes.md", text, { author: "Ada", source: "chat", trust: "maintainer" })
              .then(() => null)
              .catch((error: unknown) => error as Error & { code: string; hint: string });
            expect(refused?.code).toBe("secret_refused");
            expect(refused?.message).toContain(`line ${before.length + 1}`);
            const told = JSON.stringify([refused?.message, refused?.hint, refused?.stack, refused?.cause]);
            expect(told).not.toContain(key);
          },
        ),
        { numRuns: 8 },
      );
    }
  }
  expect(await memory.history("notes.md")).toEqual([]);
  expect(await memory.list()).toEqual([]);
});

test("random tokens without a known shape are found, and none of them is echoed", () => {
  let found = 0;
  const sample = fc.sample(drawn(`${base62}+/`, 40), { numRuns: 1_000, seed: 7 });
  for (const token of sample) {
    const secret = findSecret(`The one for the bucket: ${token}`);
    if (secret === null) continue;
    found++;
    expect(JSON.stringify(secret)).not.toContain(token);
  }
  expect(found).toBeGreaterThan(970);
  expect(findSecret("x\nwJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")).toEqual({
    kind: "a token that looks random",
    line: 2,
  });
});

test.each([
  ["password: hunter2hunter2", "a password"],
  ["DB_PASSWORD=correct-horse!battery", "a password"],
  ['"api_key": "0123456789abcdef0123456789abcdef"', "a secret value"],
  ["export MY_TOKEN='q7w8e9r0t1y2u3i4'", "a secret value"],
  ["Authorization: Bearer 9f86d081884c7d659a2feaa0c55ad015", "a secret value"],
  ["postgres://app:s3cr3tvalue@db.internal:5432/app", "an address with a password"],
  ["https://files.example/a?X-Amz-Signature=9f86d081884c7d659a2feaa0c55ad015a3bf4f1b", "an address with a key"],
])("%s is refused", (line, kind) => {
  expect(findSecret(`first\n${line}\nlast`)).toEqual({ kind, line: 2 });
});

test.each([
  "commit 3b18e512dba79e4c8300dd08aeb37f8e728b8dad",
  "digest 9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B2B0B822CD15D6C15B0F00A08",
  "sha256-fY/3A1bqWmL0jPz0nWcqh7sTn5Rk0Y2JzS4u8FQ8oZc=",
  '"integrity": "sha512-Gd2UZBJDkXlY7GbJxfsE8/nvKkUEU1G38c1siN6QP6a9PT9MmHB8GnpscSmMJSoF8LOIrt8ud/wPtojys4G6+g=="',
  "h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
  "id 550e8400-e29b-41d4-a716-446655440000, i-0abcd1234efgh5678, ami-0123456789abcdef0, vol-0a1b2c3d4e5f67890",
  "arn:aws:iam::123456789012:role/clawdinator-instance-role",
  "/nix/store/zrqrzlw1f6hkrqmh5hc0jgbv9ih9mi5y-clawdinator-0.1.0/bin/clawdinator",
  "https://docs.google.com/document/d/1aBcD3fGhIjK5mNoPqRsT7uVwXyZ9aBcD3fGhIjK5mNo/edit",
  "https://github.com/o/r/blob/3b18e512dba79e4c8300dd08aeb37f8e728b8dad/agent/mind/prompt.ts#L12-L40",
  "![](data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==)",
  "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJmvZ8xN3jv0GQmF2q0e8o3sYB9wq5dZk1h7T4uVx2Lr ada@example",
  "cache.nixos.org-1:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY=",
  "0000000012-clawd-3f2a9c1b-9f86d081884c7d659a2feaa0.md",
  "the password is in 1Password, the token: ask Ada; `tokenSecret: clawdinator/discord-token-1`",
  "DISCORD_TOKEN=$DISCORD_TOKEN, ANTHROPIC_API_KEY=<your key>, password: ********, token=[redacted]",
  "XF86VidModeGetAllModeLines and getObjectMetadataV2ForBucketConfiguration",
  "next_token: eW91IGZvdW5kIG1l, client-token: 9f86d081884c7d659a2feaa0c55ad015",
  "request id req_011CSHoEeqs5C35K2UUqR7Fy",
])("%s is no secret", (line) => {
  expect(findSecret(line)).toBeNull();
});

test("public keys and certificates may stand, private ones may not", () => {
  const body = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAu1SU1LfVLPHCozMxH2Mo";
  expect(findSecret(`-----BEGIN CERTIFICATE-----\n${body}\n-----END CERTIFICATE-----\n`)).toBeNull();
  expect(findSecret(`-----BEGIN PUBLIC KEY-----\n${body}\n-----END PUBLIC KEY-----\n`)).toBeNull();
  expect(findSecret(`-----BEGIN PRIVATE KEY-----\n${body}\n-----END PRIVATE KEY-----\n`)).toMatchObject({ line: 1 });
  const after = `-----BEGIN PUBLIC KEY-----\n${body}\n-----END PUBLIC KEY-----\n${body}`;
  expect(findSecret(after)).toEqual({ kind: "a token that looks random", line: 4 });
});

test("this repository's own texts, lock files and Debian's changelogs hold next to nothing that is refused", () => {
  const own = ["README.md", "CHANGELOG.md", "package-lock.json", "flake.lock", "docs/**/*.md", "workspace/**/*.md"];
  const ours = [...own, "memory/seed/*.md", "nix/**/*.nix", "tofu/**/*.tf"].flatMap((pattern) =>
    globSync(pattern, { cwd: root }).map((path) => join(root, path)),
  );
  const strangers = globSync("/usr/share/doc/*/changelog*.gz").sort().slice(0, 80);
  expect(ours.length).toBeGreaterThan(60);
  for (const path of ours)
    expect({ path, found: findSecret(readFileSync(path, "utf8"), { trust: "maintainer" }) }).toEqual({
      path,
      found: null,
    });
  let lines = 0;
  let refused = 0;
  for (const path of strangers) {
    const part = gunzipSync(readFileSync(path)).toString("utf8").split("\n").slice(0, 1_000);
    lines += part.length;
    refused += part.filter((line) => findSecret(line) !== null).length;
  }
  expect(refused).toBeLessThanOrEqual(lines / 10_000);
});

test("a marker lets a line stand when a maintainer wrote it, and others may keep it as it is", async () => {
  const key = `AKIA${"IOSFODNN7EXAMPLE"}`;
  const marked = `The manual's key is ${key} <!-- allow-secret: from AWS's manual -->`;
  const memory = openMemory({ directory: temporaryDirectory(), writer: "w" });
  onTestFinished(() => memory.close());
  const by = (trust: "maintainer" | "self" | "public") => ({ author: "x", source: "chat", trust });
  for (const trust of ["self", "public"] as const) {
    await expect(memory.write("aws.md", marked, by(trust))).rejects.toMatchObject({ code: "secret_refused" });
    await expect(memory.append("aws.md", marked, by(trust))).rejects.toMatchObject({ code: "secret_refused" });
  }
  await expect(memory.write("aws.md", `${key} <!-- allow-secret: -->`, by("maintainer"))).rejects.toThrow("line 1");
  await memory.write("aws.md", `# AWS\n\n${marked}\n`, by("maintainer"));
  await memory.edit("aws.md", { before: "# AWS", after: "# Keys" }, by("self"));
  expect((await memory.read("aws.md"))?.text).toBe(`# Keys\n\n${marked}\n`);
  const changed = { before: "The manual's", after: "Our own" };
  await expect(memory.edit("aws.md", changed, by("self"))).rejects.toMatchObject({ code: "secret_refused" });
  await expect(memory.write("other.md", marked, by("self"))).rejects.toMatchObject({ code: "secret_refused" });
});

test("a hostile text of a megabyte costs no more than another", () => {
  const pieces = [
    "a-",
    "sk-",
    "eyJ",
    "token = ",
    "http://a:",
    "-----BEGIN ",
    "data:image/png;base64,",
    "aB3",
    "\n",
    "=",
  ];
  const startedAt = performance.now();
  for (const piece of pieces) findSecret(piece.repeat((1 << 20) / piece.length));
  expect((performance.now() - startedAt) / pieces.length).toBeLessThan(1_500);
});
