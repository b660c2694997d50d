/** Who is logged in: a cookie that scripts cannot read, set by the gateway. */
import { getJson, postJson } from "../lib/api.ts";
import { loginToken } from "../lib/router.ts";
import { chats } from "./chats.ts";
import { startLive, stopLive } from "./live.ts";
import { type Session, store } from "./store.ts";
import { toasts } from "./toasts.ts";

/** Uses a login link's token, which leaves the address bar before anything else happens. */
export async function startSession(): Promise<void> {
  const token = loginToken(location.hash);
  if (token !== null) {
    history.replaceState(null, "", "#/chat");
    await logIn(token).catch((error) => toasts.showError(error));
  }
  if (!store.session) await readSession();
}

/** Throws ApiError when the token is not a maintainer's. */
export async function logIn(token: string): Promise<void> {
  await postJson("/api/login", { token });
  await readSession();
}

export async function logOut(): Promise<void> {
  await postJson("/api/logout");
  endSession();
}

export async function setPaused(paused: boolean): Promise<void> {
  const answer = await postJson<Pick<Session, "paused" | "pausedBy">>(paused ? "/api/pause" : "/api/resume");
  if (store.session) store.session = { ...store.session, ...answer };
  store.changed();
}

async function readSession(): Promise<void> {
  try {
    store.session = await getJson<Session>("/api/session");
    startLive();
  } catch (error) {
    store.session = null;
    if (!(error instanceof Error && "status" in error && error.status === 401)) toasts.showError(error);
  }
  store.changed();
}

function endSession(): void {
  stopLive();
  chats.forgetAll();
  store.session = null;
  store.connection = "connecting";
  store.approvals.clear();
  store.operations.clear();
  store.loaded.clear();
  store.changed();
}
