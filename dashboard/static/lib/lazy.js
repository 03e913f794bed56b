// Parts of the page whose modules are loaded at their first use.
import { live } from "./live.js";
import { html, useEffect, useState } from "./preact.js";
import { toast } from "./toast.js";

const AGAIN_MS = 1000;

/**
 * A component that stands for the one that `load` gives a promise of; shows nothing until that is there. What fails is
 * said, and tried again. `fetch()` begins before anybody shows it.
 */
export function lazy(load) {
  let Part = null;
  const fetch = async () => {
    if (!Part && live.isOutdated) location.reload(); // parts of two versions may not fit
    Part ??= await load();
  };
  const Lazy = (props) => {
    const [, again] = useState(0);
    useEffect(() => {
      let timer = null, isOver = false, said = "";
      const look = async () => {
        try {
          await fetch();
          if (!isOver) again(1);
        } catch (error) {
          if (isOver) return;
          if (!said) toast(said = `This part of the page is not loaded yet, and is asked for again: ${error.message}`);
          timer = setTimeout(look, AGAIN_MS);
        }
      };
      if (!Part) look();
      return () => {
        isOver = true;
        clearTimeout(timer);
      };
    }, []);
    return Part && html`<${Part} ...${props} />`;
  };
  return Object.assign(Lazy, { fetch });
}
