/** AWS errors as people can use them: what was tried, on what, why it failed, and the next step. */
import { isKnownError, ProviderError } from "../../errors.ts";

/** The service's own code, such as `InvalidInstanceID.NotFound`; the error's name where it has none. */
export function awsErrorCode(error: unknown): string {
  if (typeof error !== "object" || error === null) return "Unknown";
  const { name, Code, code } = error as { name?: string; Code?: string; code?: string };
  return Code ?? (name && name !== "Error" ? name : (code ?? "Unknown"));
}

/** The answer says that the thing does not exist, or not yet: reads are eventually consistent. */
export function isNotFound(error: unknown): boolean {
  return /NotFound|NoSuchKey|NoSuchBucket|DoesNotExist|ResourceNotFoundException/.test(awsErrorCode(error));
}

/** Credentials that were good and are no more, or never were: nothing is gained by trying again at once. */
export function isCredentialFailure(error: unknown): boolean {
  return /^(ExpiredToken|ExpiredTokenException|RequestExpired|InvalidClientTokenId|UnrecognizedClientException|AuthFailure|CredentialsProviderError)$/.test(
    awsErrorCode(error),
  );
}

const hints: [RegExp, string][] = [
  [
    /^(ExpiredToken|ExpiredTokenException|RequestExpired)$/,
    "the credentials have expired: log in again (`aws sso login`), or on an instance wait a minute; then ask for it again: what is finished is not done twice",
  ],
  [
    /^(InvalidClientTokenId|UnrecognizedClientException|AuthFailure|SignatureDoesNotMatch)$/,
    "AWS does not know these credentials: check AWS_PROFILE, AWS_ACCESS_KEY_ID and the clock of this machine",
  ],
  [/^CredentialsProviderError$/, "no AWS credentials were found: set AWS_PROFILE, or log in with `aws sso login`"],
  [
    /^(UnauthorizedOperation|AccessDenied|AccessDeniedException)$/,
    "the role lacks this permission: `docs/deploy.md`, “Permissions”, lists what each role may do",
  ],
  [
    /^(InsufficientInstanceCapacity|InsufficientHostCapacity|Unsupported)$/,
    "the zone has no capacity for this instance type now: add subnets in other zones (`aws.subnets`), take another `aws.instanceType`, or try later",
  ],
  [
    /^(InstanceLimitExceeded|VcpuLimitExceeded)$/,
    "the account's quota is used up: ask for more in the Service Quotas console, or retire an instance",
  ],
  [
    /^(ThrottlingException|Throttling|RequestLimitExceeded|RequestThrottled|SlowDown|TooManyRequestsException)$/,
    "AWS asks for fewer requests: try again in a minute",
  ],
  [/NotFound|NoSuch/, "it does not exist, or not in this region: compare `aws.region` with where it was made"],
];

/** The error as a ProviderError that says what was tried on which thing; ours pass unchanged. */
export function asAwsError(error: unknown, what: string): Error {
  if (isKnownError(error)) return error;
  if (error instanceof Error && error.name === "AbortError") return error;
  const code = awsErrorCode(error);
  const hint =
    hints.find(([pattern]) => pattern.test(code))?.[1] ?? "try again; if it stays, the AWS health page says more";
  const message = error instanceof Error ? error.message : String(error);
  return new ProviderError(`${what} failed: ${message} (${code})`, {
    code: `aws_${snakeCase(code)}`,
    hint,
    cause: error,
  });
}

/** Runs one call; what it throws says what was tried. */
export async function aws<T>(what: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw asAwsError(error, what);
  }
}

function snakeCase(code: string): string {
  return code
    .replaceAll(/([a-z0-9])([A-Z])/g, "$1_$2")
    .replaceAll(/[^A-Za-z0-9]+/g, "_")
    .toLowerCase();
}
