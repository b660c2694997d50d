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

/** A browser stays logged in this long after its last login. */
const sessionMs = 30 * 24 * 3600 * 1000;

export interface Maintainers {
  list(): Promise<Maintainer[]>;
  get(id: string): Promise<Maintainer | null>;
  /** The token is returned once and cannot be read again. */
  add(name: string): Promise<{ maintainer: Maintainer; token: string }>;
  /** A new token for someone who lost theirs; the old ones stop working. */
  renewToken(id: string): Promise<{ maintainer: Maintainer; token: string }>;
  remove(id: string): Promise<Maintainer>;
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
    if (!value) {
      throw new ToolError(`there is no maintainer ${id}`, {
        code: "unknown_maintainer",
        hint: "`clawdinator maintainers list` shows them",
      });
    }
    return publicPart(value as unknown as MaintainerRecord);
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

function publicPart({ id, name, createdAt, removedAt }: Maintainer): Maintainer {
  return { id, name, createdAt, removedAt };
}
