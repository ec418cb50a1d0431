// The layers as columns that every flow must pass: a flow that is refused ends where it is refused.
const WIDE = 240, GAP = 46, LINE = 16, TOP = 44, MOST = 60;
const cut = (text, length) => (text.length > length ? `${text.slice(0, length - 1)}…` : text);
// The column says of which kind most objects are: those kinds are left to the tooltip.
const brief = (text) => text.replace(/^(NetworkPolicy|SecurityGroup|AuthorizationPolicy|VirtualService|ServiceEntry) /, "");

function flowsOf(words, refused) {
  const found = [];
  for (const source of sources) {
    const mine = named(source, words);
    eachCell(source, (destination, decisions) => {
      if (!mine && !named(destination, words)) return;
      for (const decision of decisions) {
        if (refused || data.decisions[decision][0] !== "denied") found.push({ source, destination, decision });
      }
    });
  }
  return found;
}

function drawGraph() {
  const words = wordsOf($("focus").value), all = words.length ? flowsOf(words, $("refused").checked) : [];
  const flows = all.slice(0, MOST);
  $("drawn").textContent = !words.length ? "name an end to draw its flows"
    : all.length > MOST ? `the first ${MOST} of ${all.length} flows: narrow the name` : `${all.length} flows`;
  const used = new Set(flows.flatMap(({ decision }) => data.decisions[decision][3].map((each) => data.becauses[each][0])));
  const layers = data.layers.map((_, i) => i).filter((i) => used.has(i));
  const titles = ["source", ...layers.map((each) => data.layers[each][0]), "destination"];
  const nodes = titles.map(() => new Map());
  const node = (column, lines) => {
    const key = lines.join("\n");
    if (!nodes[column].has(key)) nodes[column].set(key, { lines });
    return nodes[column].get(key);
  };
  for (const flow of flows) {
    const [verdict, ports, , because] = data.decisions[flow.decision];
    flow.verdict = verdict; flow.ports = ports;
    flow.stops = [[0, node(0, [name(flow.source)])]];
    layers.forEach((layer, i) => {
      const objects = because.map((each) => data.becauses[each]).filter((each) => each[0] === layer).map((each) => each[1]);
      const lines = [...new Set(objects)];
      if (lines.length) flow.stops.push([i + 1, node(i + 1, lines)]);
      else if (verdict !== "denied") flow.stops.push([i + 1, node(i + 1, ["—"])]); // takes no part in this flow
    });
    if (verdict !== "denied") flow.stops.push([titles.length - 1, node(titles.length - 1, [name(flow.destination)])]);
  }
  let height = TOP;
  for (const column of nodes) {
    let y = TOP;
    for (const each of column.values()) { each.y = y; each.high = each.lines.length * LINE + 12; y += each.high + 14; }
    height = Math.max(height, y);
  }
  for (const column of nodes) { // short columns stand in the middle
    const last = [...column.values()].pop(), shift = last ? (height - last.y - last.high - 14) / 2 : 0;
    for (const each of column.values()) each.y += shift;
  }
  const width = titles.length * (WIDE + GAP) + 20, left = (column) => 10 + column * (WIDE + GAP);
  const picture = drawn("svg", { width, height: height + 10, viewBox: `0 0 ${width} ${height + 10}`, role: "group", "aria-label": "Flows through the layers" });
  titles.forEach((title, i) => picture.append(drawn("text", { class: "head", x: left(i) + 4, y: 22 }, i && i < titles.length - 1 && i > 1 ? `∧ ${title}` : title)));
  for (const flow of flows) {
    const words = `${name(flow.source)} → ${name(flow.destination)}: ${WORDS[flow.verdict]}, ${flow.ports}`;
    const group = drawn("g", { tabindex: 0, role: "button", "aria-label": words }, drawn("title", {}, words));
    const open = () => explain(flow.source, flow.destination, group);
    group.addEventListener("click", open);
    group.addEventListener("keydown", (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); open(); } });
    for (let i = 1; i < flow.stops.length; i += 1) {
      const [c1, a] = flow.stops[i - 1], [c2, b] = flow.stops[i];
      const x1 = left(c1) + WIDE, y1 = a.y + a.high / 2, x2 = left(c2), y2 = b.y + b.high / 2, bend = Math.min(60, (x2 - x1) / 2);
      group.append(drawn("path", { class: `flow ${flow.verdict}`, d: `M${x1} ${y1} C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}` }));
    }
    if (flow.verdict === "denied") {
      const [c, end] = flow.stops[flow.stops.length - 1];
      group.append(drawn("text", { x: left(c) + WIDE + 6, y: end.y + end.high / 2 + 4 }, "✕"));
    }
    picture.append(group);
  }
  nodes.forEach((column, i) => {
    for (const each of column.values()) {
      picture.append(drawn("rect", { class: "box", x: left(i), y: each.y, width: WIDE, height: each.high, rx: 5 }));
      const box = drawn("svg", { x: left(i), y: each.y, width: WIDE - 4, height: each.high }); // cuts what is too wide
      each.lines.forEach((line, k) => box.append(drawn("text", { x: 7, y: 17 + k * LINE }, cut(brief(line), 38), drawn("title", {}, line))));
      picture.append(box);
    }
  });
  $("drawing").replaceChildren(picture);
}
