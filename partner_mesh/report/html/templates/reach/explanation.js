// One cell in full: each verdict, its ports and requests, and every object that decided it.
let back = null;
function decisionBox(number) {
  const [verdict, ports, http, because] = data.decisions[number];
  const box = element("div", { class: "decision" }, chip(verdict), " ", element("span", { class: "mono" }, ports));
  for (const line of requestsText(http)) box.append(element("div", { class: "what" }, line));
  const list = element("ol", {});
  for (const each of because) {
    const [layer, object, reason, place] = data.becauses[each];
    const item = element("li", {}, letter(layer), " ", element("bdi", {}, object));
    if (reason) item.append(": ", element("bdi", {}, reason));
    if (place) item.append(" ", element("small", {}, element("bdi", {}, place)));
    list.append(item);
  }
  box.append(element("small", {}, verdict === "allowed" ? "every layer agrees; these objects let it pass" : verdict === "denied" ? "refused by" : "cannot be told because of"), list);
  return box;
}
function explain(source, destination, from) {
  back = from;
  const panel = $("explanation"), decisions = between(source, destination);
  const order = { allowed: 0, unknown: 1, denied: 2 };
  const sorted = [...decisions].sort((a, b) => order[data.decisions[a][0]] - order[data.decisions[b][0]]);
  panel.replaceChildren(
    element("button", { class: "close", type: "button", "aria-label": "Close", onclick: closeExplanation }, "×"),
    element("h2", {}, element("bdi", {}, name(source)), " → ", element("bdi", {}, name(destination))),
    ...(sorted.length ? sorted.map(decisionBox) : [element("p", {}, "Not asked: nothing leads from the one to the other.")]),
  );
  panel.hidden = false;
  panel.focus();
}
function closeExplanation() {
  $("explanation").hidden = true;
  if (back) back.focus();
}
addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !$("explanation").hidden) closeExplanation();
});
