// A blackout area, drawn on the image that a test shows: a corner for each click.
import { html, useState } from "../lib/preact.js";
import { Button } from "../lib/ui.js";

const rounded = (share) => Math.min(1, Math.max(0, Math.round(share * 1000) / 1000));

/** `crop`: the part of the whole image that is shown; `onArea` takes corners in 0..1 of the whole image. */
export function AreaDrawing({ crop, onArea, children }) {
  const [corners, set] = useState(null); // null while nothing is drawn
  const [left, top, right, bottom] = crop ?? [0, 0, 1, 1];
  const add = (event) => {
    if (!corners) return;
    const box = event.currentTarget.getBoundingClientRect();
    set([...corners, [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height]]);
  };
  const done = () => {
    onArea(corners.map(([x, y]) => [rounded(left + x * (right - left)), rounded(top + y * (bottom - top))]));
    set(null);
  };
  return html`<div class="area-drawing ${corners ? "is-drawing" : ""}">
    <div class="area-image" onClick=${add}>${children}
      ${corners && html`<svg viewBox="0 0 1 1" preserveAspectRatio="none" aria-hidden="true">
        <polygon points=${corners.map((corner) => corner.join(",")).join(" ")} /></svg>`}</div>
    ${corners ? html`<div class="area-actions">
        <span role="status">${corners.length < 3 ? "Click the corners of the area, in order." : `${corners.length} corners`}</span>
        <${Button} kind="quiet small" onClick=${() => set(corners.length ? corners.slice(0, -1) : null)}>Back</${Button}>
        <${Button} kind="small" onClick=${done} disabled=${corners.length < 3}>Black out</${Button}>
      </div>`
      : html`<div class="area-actions"><${Button} kind="quiet small" onClick=${() => set([])}>Draw a blackout area</${Button}></div>`}
  </div>`;
}
