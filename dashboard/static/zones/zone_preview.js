// What zones and lines would have counted, before they are saved.
import { cameraPath, post } from "../lib/api.js";
import { html, useEffect, useState } from "../lib/preact.js";

const REST_MS = 700; // after the last change
const BUSY = 429; // earlier previews are still being counted

/** `body` as PUT takes it, or null while something is not yet drawn. */
export function Preview({ name, body }) {
  const [state, set] = useState({ busy: true });
  const asked = body && JSON.stringify(body);
  useEffect(() => {
    if (!asked) return void set({});
    const asking = new AbortController();
    set((before) => ({ ...before, busy: true }));
    let timer = 0;
    const ask = async () => {
      try {
        set({ preview: await post(cameraPath(name, "/zones/preview"), body, asking.signal) });
      } catch (error) {
        if (asking.signal.aborted) return;
        if (error.status === BUSY) timer = setTimeout(ask, REST_MS);
        else set({ failure: error });
      }
    };
    timer = setTimeout(ask, REST_MS);
    return () => {
      clearTimeout(timer);
      asking.abort();
    };
  }, [asked]);
  const { preview, failure, busy } = state;
  return html`<div class="zone-preview ${busy ? "is-busy" : ""}" aria-live="polite">
    <h3>Would have counted in the last 10 minutes</h3>
    ${failure && html`<p>${failure.status === 422 ? "Not as it is now: see above." : failure.message}</p>`}
    ${preview && html`<ul>
      ${Object.entries(preview.zones).map(([zone, { entered, left }]) => html`<li key=${`z${zone}`}><b>${zone}</b> ${entered} entered, ${left} left</li>`)}
      ${Object.entries(preview.lines).map(([line, counts]) => html`<li key=${`l${line}`}><b>${line}</b> ${counts.in} in, ${counts.out} out</li>`)}
    </ul><small>${preview.words}</small>`}
    ${!preview && !failure && html`<p>${busy ? "Counting" : "Nothing drawn yet"}</p>`}
  </div>`;
}
