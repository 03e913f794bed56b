// The kinds of source that an address may name, as the API tells them.
import { once } from "../lib/once.js";

const known = once("/sources");

/** [{title, start, example, hint, plain, schemes, models}], null until they are known; [] without them. */
export const useSources = known.use;

export const sources = known.now;

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
