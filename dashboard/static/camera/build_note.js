// Engines that are being made for the models of a camera, which runs them as they are meanwhile.
import { Build, isComing } from "../lib/build.js";
import { html } from "../lib/preact.js";

/** `builds`: by model, as the API says it of a camera. */
export function BuildNote({ builds }) {
  return Object.entries(builds ?? {}).filter(([, build]) => isComing(build)).map(([model, build]) => html`
    <div class="view-note build-note" key=${model}>Engine of ${model.split("/").at(-1)}${" "}
      <${Build} build=${build} model=${model} /></div>`);
}
