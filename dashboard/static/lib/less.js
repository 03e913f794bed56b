// A shipped model that runs where the file of a better one is missing, and how to mend it.
import { html } from "./preact.js";

/** The choices of a worker that fell on the shipped model; `standard`: as its report has it, or null. */
export const lessOf = (standard) => [standard?.objects, standard?.faces].filter((one) => one && one.runs !== one.wanted);

/** `choice`: {finds, wanted, runs, file, folder, host, tried}. */
export function Mend({ choice }) {
  const allow = choice.host && html` or allow <code>${choice.host}</code>`;
  return html`<span>Put <code>${choice.file}</code> into <code>${choice.folder}</code>${allow}, then restart the worker.</span>`;
}
