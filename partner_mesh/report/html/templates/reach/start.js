// Tabs, filters, and what is shown first. The address keeps the view: #graph=acme, #partners=acme.
const VIEWS = ["matrix", "graph", "partners", "notes"];
function show(view, focus) {
  for (const each of VIEWS) {
    $(each).hidden = each !== view;
    $(`tab-${each}`).setAttribute("aria-selected", each === view);
    $(`tab-${each}`).tabIndex = each === view ? 0 : -1;
  }
  if (view === "matrix") render();
  if (view === "graph") drawGraph();
  if (view === "partners") { listPartners(); if (partner || partnerNames.length) showPartner(partner || partnerNames[0]); }
  if (view !== "partners") history.replaceState(null, "", view === "graph" ? `#graph=${encodeURIComponent($("focus").value)}` : `#${view}`);
  if (focus) $(`tab-${view}`).focus();
}
for (const [i, view] of VIEWS.entries()) {
  $(`tab-${view}`).addEventListener("click", () => show(view));
  $(`tab-${view}`).addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step) show(VIEWS[(i + step + VIEWS.length) % VIEWS.length], true);
  });
}
const kinds = [...new Set(sources.map((each) => data.endpoints[each][1]))];
$("kind").append(element("option", { value: "" }, "every kind"), ...kinds.map((each) => element("option", { value: each }, each)));
for (const form of document.querySelectorAll("form")) form.addEventListener("submit", (event) => event.preventDefault());
let pause = 0;
$("filters").addEventListener("input", () => { clearTimeout(pause); pause = setTimeout(filtered, 60); });
$("filters").addEventListener("reset", () => setTimeout(filtered));
$("focus").addEventListener("input", drawGraph);
$("refused").addEventListener("input", drawGraph);
$("partner").addEventListener("input", listPartners);
const ends = [...new Set([...sources, ...destinations])].filter((each) => data.endpoints[each][1] !== "addresses");
$("names").append(...ends.slice(0, 500).map((each) => element("option", { value: name(each) })));
const { allowed = 0, denied = 0, unknown = 0 } = data.counts;
$("summary").textContent = `${sources.length} sources, ${destinations.length} destinations: ${allowed} connections allowed, ${denied} denied, ${unknown} unknown`;
$("legend").append(chip("allowed"), "✓ all ports", chip("some"), "some ports or requests; the letter refuses the rest", chip("denied"), "by the letter's layer", chip("unknown"), "cannot be told",
  ...data.layers.map((each, i) => element("span", {}, letter(i), ` ${each[0]}`)));
$("note-list").append(...(data.notes.length ? data.notes : ["Nothing to note: every object was read and understood."]).map((each) => element("li", {}, each)));
const [view, , rest] = location.hash.slice(1).split(/(=)/);
let given = "";
try { given = decodeURIComponent(rest || ""); } catch { given = ""; }
$("focus").value = view === "graph" && given ? given : name(ends.find((each) => data.endpoints[each][1] === "partner") ?? ends[0] ?? 0) ?? "";
if (view === "partners" && Object.hasOwn(data.partners, given)) partner = given;
filtered();
show(VIEWS.includes(view) ? view : "matrix");
