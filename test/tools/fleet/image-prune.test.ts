import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { openSqliteStore } from "../../../agent/gateway/store/sqlite.ts";
import { changeDesired, readDesired, writeFirstDesired } from "../../../tools/fleet/desired.ts";
import { createLocalProvider } from "../../../tools/fleet/local/provider.ts";
import type { FleetServices } from "../../../tools/fleet/services.ts";
import { imagePrune } from "../../../tools/image-prune.ts";
import type { PlanContext, StepContext } from "../../../tools/tool.ts";
import { commitFiles, makeRepository } from "../../support/git.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

const signal = new AbortController().signal;

/** Five images, oldest first; CLAWDINATOR-2 went from the first to the second, and an instance is made from the third. */
async function setUp() {
  const home = temporaryDirectory();
  const source = join(home, "source");
  const revisions = [makeRepository(source, { "agent/main.ts": "0\n" })];
  for (let n = 1; n < 5; n++) revisions.push(commitFiles(source, { "agent/main.ts": `${n}\n` }));
  let now = 1;
  const provider = createLocalProvider({ home, programRepository: source, environment: process.env, now: () => now++ });
  const images = [];
  for (const revision of revisions) {
    images.push((await provider.buildImage(revision, { progress: () => {}, signal })).image.id);
  }
  const store = await openSqliteStore({ path: join(home, "store.sqlite") });
  onTestFinished(() => store.close());
  const entry = (revision: string) => ({ host: "local", type: "process", revision, tokenSecret: null });
  const state = (n: number) => ({
    formatVersion: 1 as const,
    instances: { "CLAWDINATOR-2": entry(revisions[n] as string) },
  });
  await writeFirstDesired(store, { commit: "a", state: state(0) });
  await changeDesired(store, () => state(1), "b");
  const instance = join(home, "instances", "i-1");
  mkdirSync(instance, { recursive: true });
  const spec = { formatVersion: 1, instance: "i-1", name: "CLAWDINATOR-3", image: images[2], revision: revisions[2] };
  writeFileSync(join(instance, "instance.json"), JSON.stringify({ ...spec, port: null, candidate: false }));
  const fleet = { store, provider } as unknown as FleetServices;
  const plan = (keep: number) => imagePrune.plan({ fleet, signal } as PlanContext, { keep });
  const doomed = async (keep: number) => ((await plan(keep)).facts.images as { id: string }[]).map(({ id }) => id);
  return { images, store, provider, fleet, plan, doomed };
}

test("keeps what is wanted, what ran just before, what an instance is made from, and the newest ones", async () => {
  const { images, store, doomed } = await setUp();
  expect(Object.keys((await readDesired(store)).previous)).toEqual(["CLAWDINATOR-2"]);
  expect(await doomed(0)).toEqual([images[4], images[3]]);
  expect(await doomed(1)).toEqual([images[3]]);
  expect(await doomed(2)).toEqual([]);
  await changeDesired(store, (state) => ({ ...state, instances: {} }), "c");
  // Nobody would go back with a name that is retired.
  expect(await doomed(0)).toEqual([images[4], images[3], images[1], images[0]]);
});

test("removes what the plan lists, again when it is repeated, and leaves what came into use since", async () => {
  const { images, store, provider, fleet, plan } = await setUp();
  const draft = await plan(0);
  const steps = imagePrune.steps({ facts: draft.facts } as never);
  const [first, second] = steps;
  await changeDesired(
    store,
    (state) => ({
      ...state,
      instances: {
        ...state.instances,
        "CLAWDINATOR-4": {
          host: "local",
          type: "process",
          revision: (draft.facts.images as { revision: string }[])[1]?.revision ?? "",
          tokenSecret: null,
        },
      },
    }),
    "c",
  );
  const context = { fleet, signal, progress: () => {} } as unknown as StepContext;
  for (let attempt = 0; attempt < 2; attempt++) {
    expect(await first?.run(context)).toEqual({ result: { image: images[4], removed: true } });
  }
  expect(await second?.run(context)).toMatchObject({ result: { image: images[3], removed: false } });
  expect((await provider.listImages()).map((image) => image.id)).toEqual(images.slice(0, 4));
});
