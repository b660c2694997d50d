/** The gateway's HTTP interface, as far as the pages use it. */

/** A refusal or failure, in words for a person. `status` 0: the gateway could not be reached. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly hint: string;
  /** What the refusal says beyond its words, such as the line of a secret. */
  readonly detail: Readonly<Record<string, unknown>>;

  constructor(options: {
    status: number;
    code: string;
    message: string;
    hint: string;
    detail?: Record<string, unknown>;
  }) {
    super(options.message);
    this.status = options.status;
    this.code = options.code;
    this.hint = options.hint;
    this.detail = options.detail ?? {};
  }
}

/** Reads JSON. Throws ApiError. */
export async function getJson<T>(path: string): Promise<T> {
  return (await send(path, { method: "GET" })).json();
}

/** Sends JSON and reads JSON; null for an empty answer. Throws ApiError. */
export async function postJson<T>(path: string, body: object = {}): Promise<T> {
  const text = await (await send(path, withJson("POST", body))).text();
  return (text ? JSON.parse(text) : null) as T;
}

/** Replaces what is at the address and reads JSON. Throws ApiError. */
export async function putJson<T>(path: string, body: object): Promise<T> {
  return (await send(path, withJson("PUT", body))).json();
}

/** Removes what is at the address and reads JSON. Throws ApiError. */
export async function deleteJson<T>(path: string): Promise<T> {
  return (await send(path, { method: "DELETE" })).json();
}

/** Sends JSON and leaves the answer's body to be read as it comes. Throws ApiError. */
export async function postForStream(path: string, body: object, signal: AbortSignal): Promise<Response> {
  return send(path, { ...withJson("POST", body), signal });
}

function withJson(method: "POST" | "PUT", body: object): RequestInit {
  return { method, headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
}

async function send(path: string, options: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, { ...options, credentials: "same-origin", cache: "no-store" });
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === "AbortError") throw cause;
    throw new ApiError({
      status: 0,
      code: "unreachable",
      message: "The gateway does not answer.",
      hint: "It may be restarting. If it stays away, look at the terminal where it runs.",
    });
  }
  if (!response.ok) throw await refusal(response);
  return response;
}

async function refusal(response: Response): Promise<ApiError> {
  const body = (await response.json().catch(() => null)) as { error?: Partial<ApiError> } | null;
  return new ApiError({
    status: response.status,
    code: String(body?.error?.code ?? `http_${response.status}`),
    message: String(body?.error?.message ?? `The gateway answered ${response.status}.`),
    hint: String(body?.error?.hint ?? ""),
    detail: { ...body?.error },
  });
}
