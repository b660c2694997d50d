/**
 * AWS Signature Version 4 for requests that are alike:
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 */
import { createHmac, createSecretKey, hash, type KeyObject } from "node:crypto";

/** Answers by which the service may also mean that this machine's clock is wrong. */
export const signatureCodes: ReadonlySet<string> = new Set([
  "SignatureDoesNotMatch",
  "InvalidSignatureException",
  "RequestTimeTooSkewed",
  "RequestExpired",
  "RequestInTheFuture",
]);

const algorithm = "AWS4-HMAC-SHA256";

/** Returns the headers to send. The path must need no escaping. */
export type Signer = (request: {
  method: string;
  path: string;
  headers: Readonly<Record<string, string>>;
  /** SHA-256 of the body, hexadecimal. */
  payloadHash: string;
  credentials: { accessKeyId: string; secretAccessKey: string; sessionToken?: string | undefined };
  date: Date;
}) => Record<string, string>;

/** A signer for the same service, region and signed headers as those of a request that is signed; null without one. */
export function createSigner(signed: Readonly<Record<string, string>>): Signer | null {
  const found =
    /^AWS4-HMAC-SHA256 Credential=[^/]+\/\d{8}\/([^/]+)\/([^/]+)\/aws4_request, SignedHeaders=([^,]+), /.exec(
      signed.authorization ?? "",
    );
  const [, region, service, list] = found ?? [];
  if (!region || !service || !list) return null;
  const token = "x-amz-security-token";
  const plain = list.split(";").filter((name) => name !== token && !name.startsWith("amz-sdk-"));
  const withToken = [...plain, token].sort();
  let key: { for: string; value: KeyObject } | null = null;

  const keyOf = (secret: string, day: string): KeyObject => {
    if (key?.for === `${day}${secret}`) return key.value;
    const derived = [day, region, service, "aws4_request"].reduce<Buffer | string>(
      (last, part) => createHmac("sha256", last).update(part).digest(),
      `AWS4${secret}`,
    );
    key = { for: `${day}${secret}`, value: createSecretKey(derived as Buffer) };
    return key.value;
  };

  return ({ method, path, headers, payloadHash, credentials, date }) => {
    const { accessKeyId, secretAccessKey, sessionToken } = credentials;
    const time = date.toISOString().replace(/\.\d+|[-:]/g, "");
    const day = time.slice(0, 8);
    const { authorization: _old, [token]: _oldToken, ...rest } = headers;
    const sent: Record<string, string> = { ...rest, "x-amz-date": time, "x-amz-content-sha256": payloadHash };
    if (sessionToken) sent[token] = sessionToken;
    const names = sessionToken ? withToken : plain;
    let canonical = `${method}\n${path}\n\n`;
    for (const name of names) canonical += `${name}:${sent[name] ?? ""}\n`;
    canonical += `\n${names.join(";")}\n${payloadHash}`;
    const scope = `${day}/${region}/${service}/aws4_request`;
    const signature = createHmac("sha256", keyOf(secretAccessKey, day))
      .update(`${algorithm}\n${time}\n${scope}\n${hash("sha256", canonical, "hex")}`)
      .digest("hex");
    sent.authorization = `${algorithm} Credential=${accessKeyId}/${scope}, SignedHeaders=${names.join(";")}, Signature=${signature}`;
    return sent;
  };
}
