import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { createAuditLog } from "../../../agent/gateway/audit.ts";
import { openSqliteStore } from "../../../agent/gateway/store/sqlite.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

test("an event that has a name is one entry however often it is told, also when only its name was written", async () => {
  const store = await openSqliteStore({ path: join(temporaryDirectory(), "store.sqlite") });
  onTestFinished(() => store.close());
  const audit = createAuditLog(store);
  const entry = {
    action: "operation.succeeded",
    actor: "instance:i-1",
    surface: "i-1",
    subject: "op-1",
    detail: "done",
  };
  const first = await audit.write(entry, { once: "op-1/succeeded" });
  expect(await audit.write({ ...entry, actor: "instance:i-2" }, { once: "op-1/succeeded" })).toEqual(first);
  expect(await audit.list({ limit: 10 })).toEqual([first]);

  await store.delete(`audit/${first.id}`);
  await audit.write(entry, { once: "op-1/succeeded" });
  expect(await audit.list({ limit: 10 })).toEqual([first]);

  await audit.write(entry);
  await audit.write(entry);
  expect(await audit.list({ limit: 10 })).toHaveLength(3);
});
