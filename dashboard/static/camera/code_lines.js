// Text to take away: with a button that copies it.
import { html, useEffect, useState } from "../lib/preact.js";
import { Button } from "../lib/ui.js";

/** A button that copies `text()` and says so for a moment. */
export function Copy({ text, label }) {
  const [said, say] = useState("");
  useEffect(() => {
    if (!said) return undefined;
    const timer = setTimeout(() => say(""), 1600);
    return () => clearTimeout(timer);
  }, [said]);
  const copy = async () => say((await copied(text())) ? "Copied" : "Select it and copy");
  return html`<${Button} icon=${said === "Copied" ? "check" : "copy"} kind="quiet" aria-label="Copy ${label}"
    onClick=${copy}><span class="copy-words" role="status">${said || "Copy"}</span></${Button}>`;
}

/** The clipboard is there on this machine and over https only; elsewhere a selection is copied. */
async function copied(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text).then(() => true, () => false);
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  return done;
}

/** Lines of code with what they are for. */
export function Code({ title, lines }) {
  const text = lines.join("\n");
  return html`<div class="code"><div class="code-head"><h3>${title}</h3><${Copy} text=${() => text} label=${title} /></div>
    <pre tabindex="0"><code>${text}</code></pre></div>`;
}
