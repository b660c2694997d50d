/** The requests that a poster makes, each bounded in time. They repeat nothing. */
import type { APIMessage, REST } from "discord.js";
import { nonceOf, type Post } from "./post-record.ts";

/** Links are not unfolded into previews of pages that nobody asked for (discord-api-docs, “Message flags”). */
const suppressEmbeds = 1 << 2;

export interface PostRequests {
  create(rest: REST, post: Post, replyTo: string | null): Promise<APIMessage>;
  edit(rest: REST, post: Post, message: string): Promise<APIMessage>;
  remove(rest: REST, where: { channel: string; message: string }): Promise<void>;
  typing(rest: REST, channel: string): Promise<void>;
  /** A page of a channel's history. */
  page(rest: REST, where: { channel: string; query: Record<string, string> }): Promise<APIMessage[]>;
}

/** `name`: the instance's, for nonces. `callMs`: the longest a call may take before the next holder may act. */
export function createPostRequests({ name, callMs }: { name: string; callMs: number }): PostRequests {
  /** No request leaves after `callMs`, wherever it waits in REST until then. */
  const bounded = async <T>(work: (signal: AbortSignal) => Promise<unknown>): Promise<T> => {
    const signal = AbortSignal.timeout(callMs);
    const { promise, reject } = Promise.withResolvers<never>();
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener("abort", onAbort);
    const call = work(signal);
    call.catch(() => {});
    return (await Promise.race([call, promise]).finally(() => signal.removeEventListener("abort", onAbort))) as T;
  };

  return {
    create: (rest, post, replyTo) =>
      bounded((signal) =>
        rest.post(`/channels/${post.channel}/messages`, {
          body: {
            ...bodyOf(post),
            nonce: nonceOf(name, post.key),
            enforce_nonce: true,
            flags: suppressEmbeds,
            ...(replyTo === null ? {} : { message_reference: { message_id: replyTo, fail_if_not_exists: false } }),
          },
          files: filesOf(post),
          signal,
        }),
      ),

    edit: (rest, post, message) =>
      bounded((signal) =>
        rest.patch(`/channels/${post.channel}/messages/${message}`, {
          body: bodyOf(post),
          files: filesOf(post),
          signal,
        }),
      ),

    remove: (rest, { channel, message }) =>
      bounded((signal) => rest.delete(`/channels/${channel}/messages/${message}`, { signal })),

    typing: (rest, channel) => bounded((signal) => rest.post(`/channels/${channel}/typing`, { signal })),

    page: (rest, { channel, query }) =>
      bounded((signal) => rest.get(`/channels/${channel}/messages`, { query: new URLSearchParams(query), signal })),
  };
}

function bodyOf(post: Post): object {
  return {
    content: post.content,
    allowed_mentions: { parse: [], replied_user: false },
    ...(post.components ? { components: post.components } : {}),
    ...(post.files || !post.isDraft
      ? {
          attachments: (post.files ?? []).map((file, id) => ({
            id,
            filename: file.name,
            description: file.description,
          })),
        }
      : {}),
  };
}

function filesOf({ files }: Post) {
  return files?.map(({ name, data, contentType }) => ({ name, data: Buffer.from(data), contentType }));
}
