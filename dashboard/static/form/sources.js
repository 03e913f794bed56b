// The kinds of source that an address may name, as the API tells them.
import { get } from "../lib/api.js";
import { useEffect, useState } from "../lib/preact.js";

let known = null;

/** Fetch the kinds once: [{title, start, example, hint, plain, schemes, models}], null until then; [] without them. */
export function useSources() {
  const [sources, set] = useState(known);
  useEffect(() => {
    if (!known) get("/sources").then((answer) => set(known = answer), () => set([]));
  }, []);
  return sources;
}

export const sources = () => known ?? [];

/** The scheme of an address in lower case, or undefined. */
export const schemeOf = (url) => /^\s*([a-z][a-z0-9+.-]*):/i.exec(url)?.[1].toLowerCase();

/** The kind of an address, or undefined while it says too little. */
export function sourceOf(url) {
  const scheme = schemeOf(url);
  if (!scheme) return sources().find(({ plain }) => plain && url.trim().startsWith(plain));
  const path = url.trim().split(/[?#]/)[0].toLowerCase();
  const claims = ({ schemes, endings }) => endings.some((end) => path.endsWith(end))
    && Object.keys(schemes).some((own) => own.endsWith(`+${scheme}`));
  return sources().find(claims) ?? sources().find(({ schemes }) => scheme in schemes);
}

/** {port, protocol, transports, has_login} of an address on the network, else null. */
export function endpointOf(url) {
  const scheme = schemeOf(url);
  return (url.includes("://") && sources().find(({ schemes }) => scheme in schemes)?.schemes[scheme]) || null;
}

/** The stages made for what an address shows, or null. */
export const stagesFor = (url) => {
  const models = sourceOf(url)?.models ?? [];
  return models.length ? models.map((model) => ({ model })) : null;
};
