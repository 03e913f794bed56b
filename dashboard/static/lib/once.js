// Answers of the API that do not change, fetched at the first use.
import { get } from "./api.js";
import { useEffect, useState } from "./preact.js";

/** {use: the answer, null until it is known; now: the answer, [] until then}; [] where there is none. */
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
