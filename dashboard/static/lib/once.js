// What the API tells for good: fetched at the first use.
import { get } from "./api.js";
import { useEffect, useState } from "./preact.js";

/** {use: the answer, null until it is known; now: the answer, [] until then}; [] where it cannot be had. */
export function once(path) {
  let known = null;
  const use = () => {
    const [answer, set] = useState(known);
    useEffect(() => {
      if (!known) get(path).then((all) => set(known = all), () => set([]));
    }, []);
    return answer;
  };
  return { use, now: () => known ?? [] };
}
