// The matrix: only cells in sight exist. Arrows move the chosen cell, Enter explains it.
const CELL = 24, HEAD = 170, SIDE = 290, SPARE = 3;
const grid = $("grid");
const area = grid.appendChild(element("div", { class: "area", role: "presentation" }));
let rows = [], columns = [], wanted = null, chosen = { row: 0, column: 0 }, waiting = false;
const cellsOf = new Map(); // source → destination → {decisions, sign}; of rows lately in sight

function cells(source) {
  let found = cellsOf.get(source);
  if (!found) {
    found = new Map();
    eachCell(source, (end, decisions, sign) => found.set(end, { decisions, sign }));
    if (cellsOf.size > 300) cellsOf.clear();
    cellsOf.set(source, found);
  }
  return found;
}

function filtered() {
  const from = wordsOf($("from").value), to = wordsOf($("to").value), any = wordsOf($("any").value);
  const kind = $("kind").value, verdict = $("verdict").value;
  let left = sources.filter((end) => named(end, from) && (!kind || data.endpoints[end][1] === kind));
  let right = destinations.filter((end) => named(end, to));
  wanted = null;
  if (any.length || verdict) {
    const matched = any.length ? matching(any) : null;
    wanted = (decisions, sign) => (!matched || decisions.some((each) => matched.has(each))) && (
      !verdict || (verdict === "denied" ? sign.kind === "denied" : decisions.some((d) => data.decisions[d][0] === verdict)));
    const open = new Set(right), met = new Set();
    left = left.filter((source) => {
      let hit = false;
      eachCell(source, (end, decisions, sign) => {
        if (open.has(end) && wanted(decisions, sign)) { hit = true; met.add(end); }
      });
      return hit;
    });
    right = right.filter((end) => met.has(end));
  }
  rows = left; columns = right; chosen = { row: 0, column: 0 };
  area.style.width = `${SIDE + columns.length * CELL + 8}px`;
  area.style.height = `${HEAD + rows.length * CELL + 8}px`;
  grid.setAttribute("aria-rowcount", rows.length + 1);
  grid.setAttribute("aria-colcount", columns.length + 1);
  $("shown").textContent = `${rows.length} of ${sources.length} sources, ${columns.length} of ${destinations.length} destinations`;
  grid.scrollTo(0, 0);
  render();
}

function placed(made, left, top) {
  made.style.left = `${left}px`;
  made.style.top = `${top}px`;
  return made;
}

function render() {
  waiting = false;
  const x = grid.scrollLeft, y = grid.scrollTop;
  const firstRow = Math.max(0, Math.floor(y / CELL) - SPARE), lastRow = Math.min(rows.length, Math.ceil((y + grid.clientHeight - HEAD) / CELL) + SPARE);
  const firstColumn = Math.max(0, Math.floor(x / CELL) - SPARE);
  const lastColumn = Math.min(columns.length, Math.ceil((x + grid.clientWidth - SIDE) / CELL) + SPARE);
  const head = element("div", { role: "row", "aria-rowindex": 1 });
  head.append(placed(element("div", { class: "corner", role: "columnheader" }, "source ↓ destination →"), x, y));
  for (let c = firstColumn; c < lastColumn; c += 1) {
    const label = element("div", { class: `column${c === chosen.column ? " at" : ""}`, role: "columnheader", "aria-colindex": c + 2, title: name(columns[c]) }, name(columns[c]));
    head.append(placed(label, SIDE + c * CELL, y));
  }
  const made = [head];
  for (let r = firstRow; r < lastRow; r += 1) {
    const line = element("div", { role: "row", "aria-rowindex": r + 2 });
    const found = cells(rows[r]);
    line.append(placed(element("div", { class: `row${r === chosen.row ? " at" : ""}`, role: "rowheader", title: name(rows[r]) }, name(rows[r])), x, HEAD + r * CELL));
    for (let c = firstColumn; c < lastColumn; c += 1) {
      const cell = found.get(columns[c]), here = r === chosen.row && c === chosen.column;
      if (!cell && !here) continue;
      const shown = cell && (!wanted || wanted(cell.decisions, cell.sign));
      const kind = shown ? cell.sign.kind : "";
      const words = cell ? `${WORDS[cell.sign.kind]}${cell.sign.letter ? `, the rest by ${layerOf(cell.sign.letter)}` : ""}` : "not asked";
      const box = element("div", {
        class: `cell ${kind}${here ? " chosen" : ""}`, role: "gridcell", "aria-colindex": c + 2, id: here ? "chosen" : undefined,
        "aria-label": `${name(rows[r])} to ${name(columns[c])}: ${words}`, title: `${name(rows[r])} → ${name(columns[c])}: ${words}`,
        "data-row": r, "data-column": c,
      }, shown ? SIGNS[kind] || cell.sign.letter : "");
      line.append(placed(box, SIDE + c * CELL, HEAD + r * CELL));
    }
    made.push(line);
  }
  area.replaceChildren(...made);
  if ($("chosen")) grid.setAttribute("aria-activedescendant", "chosen");
}
const layerOf = (sign) => (data.layers.find((each) => each[1] === sign) || [sign])[0];

function later() {
  if (!waiting) { waiting = true; requestAnimationFrame(render); }
}
grid.addEventListener("scroll", later);
addEventListener("resize", later);
grid.addEventListener("click", (event) => {
  const cell = event.target.closest(".cell");
  if (!cell) return;
  chosen = { row: Number(cell.dataset.row), column: Number(cell.dataset.column) };
  render();
  explain(rows[chosen.row], columns[chosen.column], grid);
});
const MOVES = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1], PageUp: [-20, 0], PageDown: [20, 0], Home: [0, -1e9], End: [0, 1e9] };
grid.addEventListener("keydown", (event) => {
  if (!rows.length || !columns.length) return;
  if (event.key === "Enter" || event.key === " ") {
    event.preventDefault();
    explain(rows[chosen.row], columns[chosen.column], grid);
  } else if (MOVES[event.key]) {
    event.preventDefault();
    const [down, right] = MOVES[event.key];
    chosen.row = Math.min(rows.length - 1, Math.max(0, chosen.row + down));
    chosen.column = Math.min(columns.length - 1, Math.max(0, chosen.column + right));
    const top = chosen.row * CELL, left = chosen.column * CELL;
    const high = grid.clientHeight - HEAD - CELL, wide = grid.clientWidth - SIDE - CELL;
    grid.scrollTo(Math.min(left, Math.max(left - wide, grid.scrollLeft)), Math.min(top, Math.max(top - high, grid.scrollTop)));
    render();
  }
});
