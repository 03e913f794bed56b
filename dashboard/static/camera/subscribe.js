// The very lines that subscribe to a camera.
import { get } from "../lib/api.js";
import { Code } from "./code_lines.js";
import { html, useEffect, useState } from "../lib/preact.js";

const DEFAULT = "redis://127.0.0.1:6379"; // what mirante and redis-cli take where nothing is said

export function Subscribe({ name, stream, session }) {
  const [redis, know] = useState(null);
  useEffect(() => void get("/system").then((system) => know(system.redis.url), () => know(DEFAULT)), []);
  if (redis === null) return null;
  const tail = `mirante tail ${name}${redis === DEFAULT ? "" : ` --redis ${quoted(redis)}`}`;
  const read = `redis-cli${server(redis)} XREAD BLOCK 0 STREAMS '${stream}' '$'`;
  return html`<div class="lines">
    <${Code} title="In a terminal" lines=${[tail]} />
    <${Code} title="Python" lines=${python(name, redis)} />
    <${Code} title="redis-cli" lines=${[read]} />
    <${Code} title="Any language, over HTTP" lines=${[curl(name, session)]} />
  </div>
  ${session.login && html`<p class="hint">An admin makes the token: <code>mirante dashboard token NAME</code></p>`}
  ${redis.includes("***") && html`<p class="hint">Replace *** with the user and password of Redis.</p>`}`;
}

function python(name, redis) {
  const where = redis === DEFAULT ? "" : `, redis="${redis}"`;
  return [
    "import mirante",
    "",
    `for frame in mirante.subscribe("${name}"${where}):`,
    "    for label, score, (left, top, right, bottom) in frame.detections:",
    '        print(frame.seq, label, f"{score:.2f}", left, top)',
  ];
}

function server(redis) {
  if (redis === DEFAULT) return "";
  return redis.startsWith("unix://") ? ` -s ${quoted(redis.slice(7).split("?")[0])}` : ` -u ${quoted(redis)}`;
}

function curl(name, session) {
  const token = session.login ? ` -H "Authorization: Bearer $MIRANTE_TOKEN"` : "";
  return `curl -N${token} ${quoted(`${location.origin}/api/v1/results/${name}/stream`)}`;
}

/** As a POSIX shell reads it back. */
const quoted = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);
