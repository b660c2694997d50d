/** Secrets over the control socket. Values come in and never go out. */
import type { Context } from "hono";
import { z } from "zod";
import { instanceNameSchema } from "../../tools/fleet/model.ts";
import { normalizeSecret, secretNameSchema } from "../../tools/secrets/secrets.ts";
import type { Api, Environment } from "./http/context.ts";
import { readJson } from "./http/problem.ts";
import type { Guarded } from "./http/route.ts";
import { surfaceOf } from "./maintainers.ts";
import { createSecretsDesk, openSecrets, type SecretsDesk } from "./secrets.ts";

const requestSchema = z.strictObject({
  action: z.enum(["put", "rotate", "confirm", "undo"]),
  name: secretNameSchema,
  instance: instanceNameSchema.nullable().default(null),
  value: z.string().max(100_000).nullable().default(null),
});

export function secretRoutes(
  api: Api,
  guarded: Guarded,
  requireApprover: (context: Context<Environment>) => Promise<void>,
): void {
  let opened: Promise<SecretsDesk> | null = null;
  /** Opened by the first request: a start does not need it. */
  const desk = (): Promise<SecretsDesk> => {
    opened ??= openSecrets({ config: api.config, home: api.home, environment: process.env })
      .then((secrets) => createSecretsDesk({ secrets, fleet: api }))
      .catch((error: unknown) => {
        opened = null;
        throw error;
      });
    return opened;
  };

  guarded("GET", "/control/secrets", "secrets by name, version and who has taken them up; no values", async (context) =>
    context.json(await (await desk()).list()),
  );
  guarded(
    "POST",
    "/control/secrets",
    "`{ action, name, instance, value }` puts, rotates, confirms or takes back a secret",
    async (context) => {
      const request = requestSchema.parse(await readJson(context));
      await requireApprover(context);
      const value = request.value === null ? null : normalizeSecret(request.name, request.value);
      const actor = context.get("actor");
      const who = { actor: `maintainer:${actor.maintainer.id}`, surface: surfaceOf(actor) };
      return context.json(await (await desk()).act({ ...request, value }, who));
    },
  );
}
