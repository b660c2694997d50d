/** Errors of Discord's REST interface, with the codes that its documentation lists. */
import type { z } from "zod";
import type { Json } from "./world.ts";

const known = {
  unauthorized: [401, 0, "401: Unauthorized"],
  notFound: [404, 0, "404: Not Found"],
  methodNotAllowed: [405, 0, "405: Method Not Allowed"],
  unknownApplication: [404, 10002, "Unknown Application"],
  unknownChannel: [404, 10003, "Unknown Channel"],
  unknownGuild: [404, 10004, "Unknown Guild"],
  unknownMember: [404, 10007, "Unknown Member"],
  unknownMessage: [404, 10008, "Unknown Message"],
  unknownUser: [404, 10013, "Unknown User"],
  unknownWebhook: [404, 10015, "Unknown Webhook"],
  unknownInteraction: [404, 10062, "Unknown interaction"],
  unknownCommand: [404, 10063, "Unknown application command"],
  tooLarge: [413, 40005, "Request entity too large"],
  alreadyAcknowledged: [400, 40060, "Interaction has already been acknowledged."],
  missingAccess: [403, 50001, "Missing Access"],
  othersMessage: [403, 50005, "Cannot edit a message authored by another user"],
  emptyMessage: [400, 50006, "Cannot send an empty message"],
  cannotSendToUser: [403, 50007, "Cannot send messages to this user"],
  missingPermissions: [403, 50013, "Missing Permissions"],
  invalidWebhookToken: [401, 50027, "Invalid Webhook Token"],
  wrongChannelType: [400, 50024, "Cannot execute action on this channel type"],
  invalidForm: [400, 50035, "Invalid Form Body"],
  archivedThread: [400, 50083, "Thread is archived"],
  invalidJson: [400, 50109, "The request body contains invalid JSON."],
  alreadyHasThread: [400, 160004, "A thread has already been created for this message"],
  noHistory: [403, 160002, "You cannot reply without permission to read message history"],
} as const;

export class Problem extends Error {
  readonly status: number;
  readonly body: Json;
  constructor(name: keyof typeof known, errors?: Json) {
    const [status, code, message] = known[name];
    super(message);
    this.status = status;
    this.body = { message, code, ...(errors ? { errors } : {}) };
  }
}

/** As Discord does it: the path to each wrong value, with a code. */
export function invalid(path: readonly PropertyKey[], code: string, message: string): Problem {
  return new Problem("invalidForm", nest([...path], { _errors: [{ code, message }] }));
}

export function invalidAll(error: z.ZodError): Problem {
  const errors: Json = {};
  for (const issue of error.issues) {
    let place = errors;
    for (const key of issue.path) {
      place[String(key)] ??= {};
      place = place[String(key)] as Json;
    }
    place._errors = [...((place._errors as Json[]) ?? []), { code: issue.code.toUpperCase(), message: issue.message }];
  }
  return new Problem("invalidForm", errors);
}

function nest(path: PropertyKey[], leaf: Json): Json {
  return path.reduceRight<Json>((inner, key) => ({ [String(key)]: inner }), leaf);
}
