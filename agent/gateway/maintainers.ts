/** Who may ask and approve. Tokens are shown once and kept only as hashes. */
import { randomBytes, timingSafeEqual } from "node:crypto";
import { ToolError } from "../../tools/errors.ts";
import { type Json, sha256 } from "../../tools/json.ts";
import { readAll, type Store, update } from "../../tools/store.ts";

export interface Maintainer {
  /** A number as text. */
  id: string;
  name: string;
  createdAt: number;
  removedAt: number | null;
  /** Discord user id of the same person, who then votes once; missing where there is none. */
  discord?: string;
}

interface MaintainerRecord extends Maintainer {
  formatVersion: 1;
  tokenHashes: string[];
}

/** Who acts, through which surface. `asLocal`: named with `--as` by someone with access to this machine. */
export interface Actor {
  maintainer: Maintainer;
  surface: "console" | "cli" | "discord";
  asLocal: boolean;
  /** Whose token was used: another maintainer's with `--as`. */
  by: Maintainer;
}

/** The surface as records show it, with who stands behind `--as`. */
export function surfaceOf(actor: Actor): string {
  return actor.asLocal ? `${actor.surface} --as, by maintainer ${actor.by.id}` : actor.surface;
}

/** The person as an author or proposer. */
export function authorOf({ maintainer, by }: Actor): { kind: "maintainer"; id: string; name: string; by?: string } {
  const { id, name } = maintainer;
  return { kind: "maintainer", id, name, ...(by.id === id ? {} : { by: by.id }) };
}

/** Discord's ids are 17 to 20 digits today; what is shorter is a maintainer's own number. */
const discordIdPattern = /^[0-9]{15,20}$/;

/** A browser stays logged in this long after its last login. */
const sessionMs = 30 * 24 * 3600 * 1000;

/** After its end a session's record is of no use. */
export const sessionKeptMs = 24 * 3600 * 1000;

export interface Maintainers {
  list(): Promise<Maintainer[]>;
  get(id: string): Promise<Maintainer | null>;
  /** The token is returned once and cannot be read again. */
  add(name: string): Promise<{ maintainer: Maintainer; token: string }>;
  /** A new token for someone who lost theirs; the old ones stop working. */
  renewToken(id: string): Promise<{ maintainer: Maintainer; token: string }>;
  remove(id: string): Promise<Maintainer>;
  /**
   * Says that this maintainer is that Discord user; null takes it back. Throws ToolError `discord_taken` where another
   * maintainer is that user: one person has one vote.
   */
  link(id: string, discord: string | null): Promise<Maintainer>;
  /** The maintainer who is linked to a Discord user, removed ones too; null where nobody is. */
  byDiscord(user: string): Promise<Maintainer | null>;
  /** Null for an unknown, malformed or revoked token. */
  authenticate(token: string): Promise<Maintainer | null>;
  createSession(maintainer: Maintainer): Promise<string>;
  readSession(session: string): Promise<Maintainer | null>;
  endSession(session: string): Promise<void>;
}

export function createMaintainers(store: Store): Maintainers {
  const keyOf = (id: string): string => `maintainers/${id}`;

  const read = async (id: string): Promise<MaintainerRecord | null> => {
    if (!/^[0-9]{1,20}$/.test(id)) return null;
    return ((await store.get(keyOf(id)))?.value ?? null) as MaintainerRecord | null;
  };

  const change = async (id: string, apply: (record: MaintainerRecord) => MaintainerRecord): Promise<Maintainer> => {
    const { value } = await update<Json>(store, keyOf(id), (current) =>
      current ? (apply(current as unknown as MaintainerRecord) as unknown as Json) : undefined,
    );
    if (!value) throw unknown(id);
    return publicPart(value as unknown as MaintainerRecord);
  };

  /** Where a Discord user is looked up. The maintainer's own record must agree. */
  const linkKeyOf = (user: string): string => `maintainer-links/discord/${user}`;

  const linkedTo = async (user: string): Promise<Maintainer | null> => {
    if (!discordIdPattern.test(user)) return null;
    const entry = await store.get(linkKeyOf(user));
    const record = entry ? await read((entry.value as { maintainer: string }).maintainer) : null;
    return record && record.discord === user ? publicPart(record) : null;
  };

  const claimDiscord = async (user: string, id: string): Promise<void> => {
    if (!discordIdPattern.test(user)) {
      throw new ToolError(`${user} is not a Discord user id`, {
        code: "not_a_discord_id",
        hint: "in Discord: Settings, Advanced, Developer Mode; then right-click the person, Copy User ID",
      });
    }
    for (;;) {
      const entry = await store.get(linkKeyOf(user));
      const other = await linkedTo(user);
      if (other && other.id !== id && other.removedAt === null) {
        throw new ToolError(`Discord user ${user} is ${other.name}, maintainer ${other.id}`, {
          code: "discord_taken",
          hint: `one person has one vote; \`clawdinator maintainers unlink ${other.id}\` comes first`,
        });
      }
      const next = { formatVersion: 1, maintainer: id };
      const result = await store.put(linkKeyOf(user), next, entry ? { ifVersion: entry.version } : { ifAbsent: true });
      if (result.written) return;
    }
  };

  return {
    async list() {
      const entries = await readAll(store, "maintainers/");
      return entries
        .map((entry) => publicPart(entry.value as unknown as MaintainerRecord))
        .filter((maintainer) => maintainer.removedAt === null)
        .sort((a, b) => Number(a.id) - Number(b.id));
    },

    async get(id) {
      const record = await read(id);
      return record && record.removedAt === null ? publicPart(record) : null;
    },

    async add(name) {
      // Ids are counted up and never given again, so that a policy that names one cannot come to mean another person.
      for (let id = (await store.list("maintainers/")).length + 1; ; id++) {
        const token = newToken(String(id));
        const record: MaintainerRecord = {
          formatVersion: 1,
          id: String(id),
          name,
          createdAt: await store.now(),
          removedAt: null,
          tokenHashes: [sha256(token)],
        };
        const result = await store.put(keyOf(record.id), record as unknown as Json, { ifAbsent: true });
        if (result.written) return { maintainer: publicPart(record), token };
      }
    },

    async renewToken(id) {
      const token = newToken(id);
      const maintainer = await change(id, (record) => ({ ...record, tokenHashes: [sha256(token)] }));
      return { maintainer, token };
    },

    async remove(id) {
      const now = await store.now();
      return change(id, (record) => ({ ...record, removedAt: record.removedAt ?? now, tokenHashes: [] }));
    },

    async link(id, discord) {
      const record = await read(id);
      if (!record || record.removedAt !== null) throw unknown(id);
      if (discord !== null) await claimDiscord(discord, id);
      // What names the person before is no link any more: the record alone says who it is.
      return change(id, ({ discord: _before, ...rest }) => (discord === null ? rest : { ...rest, discord }));
    },

    byDiscord: linkedTo,

    async authenticate(token) {
      const id = /^clawd_([0-9]{1,20})_[A-Za-z0-9_-]{20,}$/.exec(token)?.[1];
      const record = id ? await read(id) : null;
      if (!record || record.removedAt !== null) return null;
      const hash = Buffer.from(sha256(token));
      return record.tokenHashes.some((known) => timingSafeEqual(Buffer.from(known), hash)) ? publicPart(record) : null;
    },

    async createSession(maintainer) {
      const session = randomBytes(32).toString("base64url");
      const expiresAt = (await store.now()) + sessionMs;
      await store.put(`sessions/${sha256(session)}`, { formatVersion: 1, maintainer: maintainer.id, expiresAt });
      return session;
    },

    async readSession(session) {
      const entry = await store.get(`sessions/${sha256(session)}`);
      const record = entry?.value as { maintainer: string; expiresAt: number } | undefined;
      if (!record || record.expiresAt < (await store.now())) return null;
      const maintainer = await read(record.maintainer);
      return maintainer && maintainer.removedAt === null ? publicPart(maintainer) : null;
    },

    async endSession(session) {
      await store.delete(`sessions/${sha256(session)}`);
    },
  };
}

function newToken(id: string): string {
  return `clawd_${id}_${randomBytes(32).toString("base64url")}`;
}

function unknown(id: string): ToolError {
  return new ToolError(`there is no maintainer ${id}`, {
    code: "unknown_maintainer",
    hint: "`clawdinator maintainers list` shows them",
  });
}

function publicPart({ id, name, createdAt, removedAt, discord }: Maintainer): Maintainer {
  return { id, name, createdAt, removedAt, ...(discord === undefined ? {} : { discord }) };
}
