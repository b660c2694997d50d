import { expect, test } from "vitest";
import { findInstanceDrift } from "../../../tools/fleet/drift.ts";
import type { DesiredState, FleetStatus, InstanceStatus } from "../../../tools/fleet/model.ts";

const [old, next] = ["a".repeat(40), "b".repeat(40)];
const provider = { host: "local", type: "process", images: new Map([[next, "local-next"]]) };

function desired(entries: Record<string, Partial<DesiredState["instances"][string]>>): DesiredState {
  const instances = Object.entries(entries).map(([name, entry]) => [
    name,
    { host: "local", type: "process", revision: next, tokenSecret: null, ...entry },
  ]);
  return { formatVersion: 1, instances: Object.fromEntries(instances) };
}

function running(name: string, more: Partial<InstanceStatus> = {}): InstanceStatus {
  return {
    name,
    state: "ready",
    instance: `i-${name}`,
    machine: null,
    revision: next,
    image: "local-next",
    dirty: false,
    epoch: 1,
    port: null,
    url: null,
    heartbeatAgeMs: 0,
    startedAt: 0,
    phases: [],
    checks: [],
    ...more,
  };
}

function fleetOf(...instances: InstanceStatus[]): FleetStatus {
  return { at: 0, instances, self: { name: null, instance: "i" } };
}

test("a fleet that is as it should be has no drift", () => {
  const wanted = desired({ "CLAWDINATOR-1": { revision: "checkout" }, "CLAWDINATOR-2": {} });
  const there = fleetOf(running("CLAWDINATOR-1", { image: "checkout", revision: old }), running("CLAWDINATOR-2"));
  expect(findInstanceDrift(wanted, there, provider)).toEqual([]);
});

test("missing, silent, unknown, wrong revision, image and type are told apart", () => {
  const wanted = desired({
    "CLAWDINATOR-1": {},
    "CLAWDINATOR-2": {},
    "CLAWDINATOR-3": {},
    "CLAWDINATOR-4": {},
    "CLAWDINATOR-5": { host: "aws", type: "t3.small" },
  });
  const there = fleetOf(
    running("CLAWDINATOR-2", { state: "lost" }),
    running("CLAWDINATOR-3", { revision: old, image: "local-old" }),
    running("CLAWDINATOR-4", { image: "local-other" }),
    running("CLAWDINATOR-5"),
    running("CLAWDINATOR-10"),
  );
  expect(findInstanceDrift(wanted, there, provider)).toMatchObject([
    { kind: "missing", name: "CLAWDINATOR-1" },
    { kind: "missing", name: "CLAWDINATOR-2" },
    { kind: "wrong_revision", name: "CLAWDINATOR-3", desired: next, actual: old },
    { kind: "wrong_image", name: "CLAWDINATOR-4", desired: "local-next", actual: "local-other" },
    { kind: "wrong_type", name: "CLAWDINATOR-5", desired: "aws/t3.small", actual: "local/process" },
    { kind: "unknown", name: "CLAWDINATOR-10" },
  ]);
});

test("a candidate, which holds no name, is neither missing nor unknown", () => {
  const there = fleetOf(running("CLAWDINATOR-1"), running("CLAWDINATOR-1", { epoch: null, state: "candidate" }));
  expect(findInstanceDrift(desired({ "CLAWDINATOR-1": {} }), there, provider)).toEqual([]);
});
