// The payload (see payload.py) and the questions that the views ask of it. Everything is a number until it is shown.
const data = JSON.parse(document.getElementById("data").textContent);
const SIGNS = { allowed: "✓", some: "", denied: "", unknown: "?" };
const WORDS = { allowed: "allowed", some: "allowed in part", denied: "denied", unknown: "unknown" };

const name = (end) => data.endpoints[end][0];
const letterOf = (decision) => {
  const first = data.decisions[decision][3][0];
  return first === undefined ? "" : data.layers[data.becauses[first][0]][1];
};

// {kind, letter}: the colour of a cell, and the layer that refuses the rest of it.
function signOf(decisions) {
  let allowed = false, denied = -1, unknown = -1;
  for (const each of decisions) {
    const verdict = data.decisions[each][0];
    if (verdict === "allowed") allowed = true;
    else if (verdict === "denied" && denied < 0) denied = each;
    else if (verdict === "unknown" && unknown < 0) unknown = each;
  }
  const other = unknown >= 0 ? unknown : denied;
  if (allowed && other < 0) return { kind: "allowed", letter: "" };
  if (allowed) return { kind: "some", letter: letterOf(other) };
  if (unknown >= 0) return { kind: "unknown", letter: letterOf(unknown) };
  return { kind: "denied", letter: denied < 0 ? "" : letterOf(denied) };
}
const classSigns = data.classes.map(signOf);

// The source's journeys: destination → decisions. They lead through gateways and stand beside the direct rows.
const journeysOf = new Map();
for (const [source, destination, decision] of data.journeys) {
  if (!journeysOf.has(source)) journeysOf.set(source, new Map());
  const row = journeysOf.get(source);
  if (!row.has(destination)) row.set(destination, []);
  row.get(destination).push(decision);
}
const rowOf = new Map(data.sources);

// Calls back with (destination, decisions, sign) for every cell of a row, in no particular order.
function eachCell(source, found) {
  const journeys = journeysOf.get(source);
  for (const [number, spans] of data.rows[rowOf.get(source)] || []) {
    for (let i = 0; i < spans.length; i += 2) {
      for (let end = spans[i]; end < spans[i] + spans[i + 1]; end += 1) {
        if (!journeys || !journeys.has(end)) found(end, data.classes[number], classSigns[number]);
      }
    }
  }
  if (!journeys) return;
  for (const [end, decisions] of journeys) {
    const all = [...directly(source, end), ...decisions];
    found(end, all, signOf(all));
  }
}
function directly(source, destination) {
  for (const [number, spans] of data.rows[rowOf.get(source)] || []) {
    for (let i = 0; i < spans.length; i += 2) {
      if (destination >= spans[i] && destination < spans[i] + spans[i + 1]) return data.classes[number];
    }
  }
  return [];
}
function between(source, destination) {
  return [...directly(source, destination), ...((journeysOf.get(source) || new Map()).get(destination) || [])];
}

const sources = [...new Set([...data.sources.map((each) => each[0]), ...journeysOf.keys()])];
const destinations = (() => {
  const found = new Set();
  for (const row of data.rows) for (const [, spans] of row) {
    for (let i = 0; i < spans.length; i += 2) for (let k = 0; k < spans[i + 1]; k += 1) found.add(spans[i] + k);
  }
  for (const row of journeysOf.values()) for (const end of row.keys()) found.add(end);
  return [...found].sort((a, b) => a - b);
})();

// A set in a word: all methods without one are kept as `*` and `!GET`.
function listed(values) {
  const but = values.length > 1 && values[0] === "*" && values.slice(1).every((each) => each.startsWith("!"));
  return but ? `any-but-${values.slice(1).map((each) => each.slice(1)).join(",")}` : values.join(",");
}
function requestsText(http) {
  if (http < 0) return [];
  return data.https[http].map((box) => {
    const when = box.when ? ` when ${box.when.join(" and ")}` : "";
    return `${listed(box.methods)} ${listed(box.hosts)} ${box.paths.join(" ")}${when}`;
  });
}
let decisionTexts = null; // lower case, made when somebody searches
function matching(words) {
  decisionTexts ||= data.decisions.map(([verdict, ports, http, because]) => [
    verdict, ports, ...requestsText(http), ...because.map((each) => data.becauses[each].slice(1).join(" ")),
  ].join(" ").toLowerCase());
  return new Set(decisionTexts.flatMap((text, i) => (words.every((word) => text.includes(word)) ? [i] : [])));
}
const wordsOf = (text) => text.toLowerCase().split(/\s+/).filter(Boolean);
const named = (end, words) => {
  const text = `${data.endpoints[end][0]} ${data.endpoints[end][1]}`.toLowerCase();
  return words.every((word) => text.includes(word));
};
