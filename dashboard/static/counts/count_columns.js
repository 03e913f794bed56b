// Counts over time as columns of a chart. Pure functions.
const HOUR_S = 3600, DAY_S = 24 * HOUR_S;

export const STEP_S = { minute: 60, hour: HOUR_S, day: DAY_S };
/** What may be looked at, each with what it may be counted per; the first is the usual one. */
export const SPANS = {
  "1h": { words: "60 minutes", seconds: HOUR_S, per: ["minute"] },
  "6h": { words: "6 hours", seconds: 6 * HOUR_S, per: ["minute", "hour"] },
  "24h": { words: "24 hours", seconds: DAY_S, per: ["hour", "minute"] },
  "7d": { words: "7 days", seconds: 7 * DAY_S, per: ["hour", "day"] },
  "35d": { words: "35 days", seconds: 35 * DAY_S, per: ["day", "hour"] },
};

/** Unix s at which the first of the columns begins whose last one is of now; days are those of this browser. */
export function firstOf(span, per, nowS) {
  const { seconds } = SPANS[span];
  if (per !== "day") return (Math.floor(nowS / STEP_S[per]) + 1) * STEP_S[per] - seconds;
  const day = new Date(nowS * 1000);
  day.setHours(0, 0, 0, 0);
  day.setDate(day.getDate() + 1 - seconds / DAY_S);
  return day.getTime() / 1000;
}

/** Unix s at which each column begins. */
function startsOf(from, to, per) {
  const starts = [];
  for (let at = from; at < to; at = per === "day" ? nextDay(at) : at + STEP_S[per]) starts.push(at);
  return starts;
}

function nextDay(at) {
  const day = new Date(at * 1000);
  day.setDate(day.getDate() + 1);
  return day.getTime() / 1000;
}

/** What can be shown: all objects, each zone and line that is drawn or was counted. `areas`: as areasOf gives them, or null. */
export function subjectsOf(areas, series) {
  const names = (kind, own) => [...new Set([...Object.keys(own ?? {}), ...series.map((one) => one[kind]).filter(Boolean)])].sort();
  return [
    ...names("line", areas?.lines).map((name) => ({ key: `line/${name}`, words: `Line ${name}`, line: name, zone: "", up: "in", down: "out" })),
    ...names("zone", areas?.zones).map((name) => ({ key: `zone/${name}`, words: `Zone ${name}`, line: "", zone: name, up: "entered", down: "left" })),
    { key: "objects", words: "Objects", line: "", zone: "", up: "new", down: null },
  ];
}

/**
 * {starts, classes: [{label, up, down, sums: {up, down}}], peak, staysS}: of `counted`, the API's answer, what a subject counts.
 * `up` and `down` have one number for each of `starts`; `peak`: most at once in a zone, `staysS`: mean stay, or null.
 */
export function columnsOf(counted, subject, per) {
  const starts = startsOf(counted.from, counted.to, per);
  const own = counted.series.filter(({ zone, line }) => zone === subject.zone && line === subject.line);
  const of = (metric, label) => own.find((one) => one.metric === metric && one.label === label)?.values ?? [];
  const labels = [...new Set(own.filter(({ metric }) => metric === subject.up || metric === subject.down).map(({ label }) => label))].sort();
  const classes = labels.map((label) => {
    const up = placed(of(subject.up, label), starts), down = subject.down ? placed(of(subject.down, label), starts) : null;
    return { label, up, down, sums: { up: sum(up), down: down && sum(down) } };
  });
  const every = (metric) => own.filter((one) => one.metric === metric).flatMap(({ values }) => values.map(([, value]) => value));
  const left = sum(every("left")), peak = Math.max(0, ...every("peak"));
  return { starts, classes, peak: peak || null, staysS: left ? sum(every("dwell")) / left : null };
}

const sum = (values) => values.reduce((all, one) => all + one, 0);

/** Values at moments, added to the column that each is in. */
function placed(values, starts) {
  const columns = starts.map(() => 0);
  let i = 0;
  for (const [at, value] of values) {
    while (i + 1 < starts.length && starts[i + 1] <= at) i++;
    if (at >= starts[0]) columns[i] += value;
  }
  return columns;
}

/** "14:00", "23 Nov": when a column begins; `whole`: with all that tells it from any other. */
export function startWords(at, per, whole = false) {
  const when = new Date(at * 1000);
  const day = when.toLocaleDateString("en-GB", { day: "numeric", month: "short" });
  const time = when.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
  if (per === "day") return whole ? when.toLocaleDateString("en-GB", { weekday: "short", day: "numeric", month: "short" }) : day;
  return whole ? `${day}, ${time}` : time;
}
