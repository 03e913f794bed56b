// Calls of /api/v1; what goes wrong is an error in the server's own words.

class ApiError extends Error {
  constructor(status, lines, retryAfterS = 0) {
    super(lines.join("\n"));
    this.status = status;
    this.lines = lines;
    this.retryAfterS = retryAfterS; // what a server asks to wait that has had too many tries
  }
}

/** The JSON answer of one call. Throws ApiError; its status is 0 when the server is away, or `signal` ended it. */
export async function call(method, path, body, signal) {
  let response;
  try {
    response = await fetch(`/api/v1${path}`, {
      method,
      signal,
      headers: body === undefined ? {} : { "Content-Type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new ApiError(0, ["The dashboard's server does not answer."]);
  }
  if (response.status === 204) return null;
  const answer = await response.json().catch(() => null);
  if (response.ok) return answer;
  throw new ApiError(response.status, linesOf(answer, response), Number(response.headers.get("Retry-After")) || 0);
}

function linesOf(answer, response) {
  const detail = answer?.detail;
  if (typeof detail === "string") return [detail];
  if (Array.isArray(detail)) {
    return detail.map((one) => (typeof one === "string" ? one : `${one.loc?.slice(1).join(".")}: ${one.msg}`));
  }
  return [`The server answered ${response.status} ${response.statusText}.`];
}

export const get = (path) => call("GET", path);
export const post = (path, body, signal) => call("POST", path, body, signal);
export const put = (path, body) => call("PUT", path, body);
export const patch = (path, body) => call("PATCH", path, body);
export const remove = (path) => call("DELETE", path);

/** The path of one camera. */
export const cameraPath = (name, rest = "") => `/cameras/${encodeURIComponent(name)}${rest}`;
