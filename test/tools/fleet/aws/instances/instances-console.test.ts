import { expect, test } from "vitest";
import { cleanConsole } from "../../../../../tools/fleet/aws/instances/console-text.ts";
import { encodeUserData, parseUserData } from "../../../../../tools/fleet/aws/instances/user-data.ts";

test("the console is shown without colours, control characters and text that turns its direction", () => {
  const raw = "\u001b[1;32m[  OK  ]\u001b[0m Started\r\n\u001b]0;title\u0007x\u0000y\u202ez\u0008\r\nend\n\n";
  expect(cleanConsole(raw, 10)).toEqual(["[  OK  ] Started", "xyz", "end"]);
});

test("only its last lines are shown", () => {
  expect(cleanConsole("1\n2\n3\n", 2)).toEqual(["2", "3"]);
  expect(cleanConsole("1\n2\n3\n", 0)).toEqual([]);
  expect(cleanConsole("", 5)).toEqual([]);
});

test("what looks like a credential is hidden, also where the console cuts it off", () => {
  const key = "-----BEGIN RSA PRIVATE KEY-----\nMIIEdata\nmore\n-----END RSA PRIVATE KEY-----";
  const raw = [
    "before",
    key,
    `id AKIA${"A".repeat(16)} and ASIA${"B".repeat(16)}`,
    `model sk-ant-${"x".repeat(30)}`,
    `git ghs_${"y".repeat(36)}`,
    "aws_secret_access_key = abcdefghijklmnop/qrstuv",
    'config: {"api_key": "0123456789abcdef", "port": 18789}',
    "Authorization: Bearer abc.def.ghi",
    "token service started",
    "-----BEGIN PRIVATE KEY-----",
    "MIIEcut",
  ].join("\n");
  const text = cleanConsole(raw, 100).join("\n");
  for (const secret of ["MIIE", "AKIA", "ASIA", "sk-ant", "ghs_", "abcdefghijklmnop", "0123456789abcdef", "abc.def"])
    expect(text).not.toContain(secret);
  expect(text).toContain("before");
  expect(text).toContain('"port": 18789');
  expect(text).toContain("token service started");
});

test("user data comes back as it was sent, and foreign user data is not taken for ours", () => {
  const data = { instance: "clawd-0123456789ab", name: "CLAWDINATOR-2", image: "img-1", revision: "c", port: null };
  const sent = Buffer.from(encodeUserData(data), "base64").toString("utf8");
  expect(parseUserData(sent)).toEqual({ formatVersion: 1, ...data });
  for (const foreign of ["", "#!/bin/sh\n", "{}", JSON.stringify({ ...data, formatVersion: 2 })])
    expect(parseUserData(foreign)).toBeNull();
});
