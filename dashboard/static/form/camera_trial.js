// A camera is tried by a worker, as the form says it, and not added.
import { post } from "../lib/api.js";
import { byField } from "./camera_values.js";
import { useEffect, useRef, useState } from "../lib/preact.js";

export const NO_ADDRESS = "Enter the camera's address.";
const NO_WORKER = "Only a worker can connect to it, and none is running.";

/**
 * A test of the keys in `body`, which without an address are those of a camera that exists:
 * {busy, trial, failure, stale, isGood, hasFailed, run, cancel, forget}.
 */
export function useTrial(body, workers, setTrouble) {
  const [state, set] = useState({});
  const running = useRef(null);
  const said = JSON.stringify(body);
  useEffect(() => () => running.current?.abort(), []);
  const cancel = () => running.current?.abort();
  const run = async () => {
    if (body.url === "") return setTrouble({ url: [NO_ADDRESS] });
    if (workers?.length === 0) return set({ failure: new Error(NO_WORKER), said });
    cancel();
    const mine = (running.current = new AbortController());
    setTrouble({});
    set({ busy: true, started: Date.now() });
    try {
      const trial = await post("/cameras/test", body, mine.signal);
      if (mine === running.current && !mine.signal.aborted) set({ trial, said });
    } catch (failure) {
      if (mine !== running.current) return;
      if (mine.signal.aborted) return set({});
      const found = failure.status === 422 ? byField(failure.lines, body.name ?? "test") : {};
      const isOfField = Object.keys(found).some((field) => field !== "top");
      if (isOfField) setTrouble(found);
      set(isOfField ? {} : { failure, said });
    }
  };
  const stale = state.said !== undefined && state.said !== said;
  return {
    ...state, stale, run, cancel, forget: () => set({}),
    isGood: Boolean(state.trial?.connected) && !stale,
    hasFailed: Boolean(state.failure || (state.trial && !state.trial.connected)) && !stale,
  };
}
