/** Where an upload starts: anew, or from what an earlier attempt left on this machine or in the account. */
import { sha256 } from "../../../json.ts";
import { isNotFound } from "../errors.ts";
import type { FileIdentity } from "./image-file.ts";
import { findJournal, type Journal, type JournalHeader, journalPath, openJournal } from "./journal.ts";
import { listBlocks } from "./read-back.ts";
import { visibilityMs } from "./retry.ts";
import { deleteUnfinished, findByToken, findSnapshot } from "./snapshot.ts";
import type { UploadOptions } from "./upload.ts";

export interface Beginning {
  journal: Journal;
  resumed: boolean;
  /** An earlier attempt did it all. */
  finished: { snapshot: string; blocks: number } | null;
}

/** Opens the journal. A snapshot whose content is not known for sure is given up, and deleted while unfinished. */
export async function begin(options: UploadOptions, file: FileIdentity): Promise<Beginning> {
  const { clients, parent, token, signal } = options;
  const path = journalPath(options.journalDirectory, token);
  const fresh: JournalHeader = {
    token,
    clientToken: token,
    region: clients.region,
    parent,
    snapshot: null,
    file,
    startedAt: Date.now(),
    state: "filling",
    blocks: null,
  };
  /** The new client token is on disk before the old snapshot goes, so that no crash brings that one back. */
  const anew = async (given: string | null, isUnfinished: boolean): Promise<Beginning> => {
    const header = given === null ? fresh : { ...fresh, clientToken: sha256(`${token}:${given}`) };
    const journal = await openJournal(path, header);
    try {
      if (given !== null && isUnfinished) await deleteUnfinished(clients.ec2, given);
    } catch (error) {
      await journal.close();
      throw error;
    }
    return { journal, resumed: false, finished: null };
  };

  const found = await findJournal(path, { file, parent, region: clients.region });
  if (!found) return options.lookUp === false ? anew(null, false) : lookUp();
  const { header, blocks } = found.log;
  const { snapshot } = header;
  if (!found.fits)
    return snapshot === null ? anew(header.clientToken, false) : anew(snapshot, header.state === "filling");
  if (snapshot === null) return { journal: await openJournal(path, header, blocks), resumed: false, finished: null };
  if (header.state === "verified") {
    const ebs = await clients.ebs();
    const exists = await listBlocks({ ebs, snapshot, signal, visibility: 0 }).then(
      () => true,
      (error: Error) => {
        if (isNotFound(error.cause)) return false;
        throw error;
      },
    );
    if (!exists) return anew(snapshot, false);
    const journal = await openJournal(path, header, blocks);
    return { journal, resumed: true, finished: { snapshot, blocks: header.blocks ?? blocks.size } };
  }
  const age = Date.now() - header.startedAt;
  const visibility = age >= 0 && age < visibilityMs ? visibilityMs : 0;
  const state = (await findSnapshot(clients.ec2, snapshot, { visibility, signal }))?.State;
  // Deleted by someone, or cancelled by the service because nobody wrote to it for a day.
  if (state !== "pending" && state !== "completed") return anew(snapshot, state === "error");
  return { journal: await openJournal(path, header, blocks), resumed: true, finished: null };

  async function lookUp(): Promise<Beginning> {
    const earlier = await findByToken(clients.ec2, token);
    const completed = earlier.find(({ State }) => State === "completed");
    if (completed?.SnapshotId) {
      const snapshot = completed.SnapshotId;
      const journal = await openJournal(path, { ...fresh, snapshot, state: "verified", blocks: 0 });
      return { journal, resumed: true, finished: { snapshot, blocks: 0 } };
    }
    const unfinished = earlier.find(({ SnapshotId }) => SnapshotId !== undefined)?.SnapshotId ?? null;
    return anew(unfinished, true);
  }
}
