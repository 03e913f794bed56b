// How many columns let all tiles be seen at once, as large as can be.
import { useEffect, useRef, useState } from "../lib/preact.js";

const GAP = 14, FOOTER = 46, LEAST = 235, BELOW = 40, NARROW = 600; // px
const RATIO = 16 / 9;

/** {columns, width} of tiles in px; a wall that would be too small scrolls instead. */
function fitted(tiles, width, height) {
  if (width < NARROW) return { columns: 1, width };
  let best = { columns: 1, width: 0 };
  for (let columns = 1; columns <= tiles; columns++) {
    const rows = Math.ceil(tiles / columns);
    const across = (width - GAP * (columns - 1)) / columns;
    const down = ((height - GAP * (rows - 1)) / rows - FOOTER) * RATIO;
    const tile = Math.floor(Math.min(across, down));
    if (tile > best.width) best = { columns, width: tile };
  }
  if (best.width >= Math.min(LEAST, width)) return best;
  const columns = Math.max(1, Math.floor((width + GAP) / (LEAST + GAP)));
  return { columns, width: Math.floor((width - GAP * (columns - 1)) / columns) };
}

/** A ref for the wall, and its tiles' {columns, width} as long as it is shown. */
export function useGrid(tiles) {
  const ref = useRef();
  const [grid, set] = useState({ columns: 1, width: 0 });
  useEffect(() => {
    const fit = () => {
      const { top } = ref.current.getBoundingClientRect();
      const next = fitted(tiles, ref.current.clientWidth, innerHeight - top - scrollY - BELOW);
      ref.current.style.setProperty("--columns", next.columns);
      ref.current.style.setProperty("--tile", `${next.width}px`);
      set((now) => (now.columns === next.columns && now.width === next.width ? now : next));
    };
    const sized = new ResizeObserver(fit);
    sized.observe(ref.current);
    addEventListener("resize", fit);
    return () => {
      sized.disconnect();
      removeEventListener("resize", fit);
    };
  }, [tiles]);
  return [ref, grid];
}
