// A page for each partner: what it may call, what may call it, and on which hosts and paths.
const partnerNames = Object.keys(data.partners);
let partner = null;

function listPartners() {
  const words = wordsOf($("partner").value);
  const found = partnerNames.filter((each) => words.every((word) => each.toLowerCase().includes(word)));
  $("partner-list").replaceChildren(...found.map((each) => element("li", {}, element("button", {
    type: "button", "aria-current": each === partner ? "true" : "false", onclick: () => showPartner(each), title: each }, each))));
}
function journeyTable(numbers, far, empty) {
  if (!numbers.length) return element("p", { class: "faint" }, empty);
  const body = element("tbody", {});
  for (const number of numbers) {
    const [source, destination, decision] = data.journeys[number];
    const [verdict, ports, http] = data.decisions[decision];
    const boxes = http < 0 ? [{ methods: [], hosts: [], paths: [] }] : data.https[http];
    for (const box of boxes) {
      const why = element("button", { type: "button" }, "why");
      why.addEventListener("click", () => explain(source, destination, why));
      body.append(element("tr", {}, element("td", {}, chip(verdict)), element("td", {}, name(far ? source : destination)), element("td", { class: "mono" }, ports),
        element("td", { class: "mono" }, listed(box.methods)), element("td", { class: "mono" }, listed(box.hosts)),
        element("td", { class: "mono" }, `${box.paths.join(" ")}${box.when ? ` when ${box.when.join(" and ")}` : ""}`), element("td", {}, why)));
    }
  }
  const head = ["verdict", far ? "caller" : "destination", "port", "methods", "hosts", "paths", ""].map((each) => element("th", { scope: "col" }, each));
  return element("table", {}, element("thead", {}, element("tr", {}, ...head)), body);
}
function folded(title, numbers, far) {
  return numbers.length ? [element("details", {}, element("summary", {}, `${title} (${numbers.length})`), journeyTable(numbers, far, ""))] : [];
}
function showPartner(chosenName) {
  partner = chosenName;
  listPartners();
  const { inbound, outbound } = data.partners[partner];
  const passes = (number) => data.decisions[data.journeys[number][2]][0] !== "denied";
  const kind = (number) => data.endpoints[data.journeys[number][0]][1];
  const own = inbound.filter((each) => kind(each) === "partner"), others = inbound.filter((each) => kind(each) !== "partner");
  const hosts = new Set();
  for (const number of own.filter(passes)) {
    const http = data.decisions[data.journeys[number][2]][2];
    if (http >= 0) for (const box of data.https[http]) for (const host of box.hosts) hosts.add(`${host} (calls in)`);
  }
  for (const number of outbound) hosts.add(`${name(data.journeys[number][1])} (is called)`);
  const layers = element("button", { type: "button", onclick: () => { $("focus").value = `partner ${partner}`; show("graph"); } }, "its layers");
  $("partner-page").replaceChildren(
    element("h2", {}, element("bdi", {}, partner), " ", layers),
    element("p", { class: "mono" }, [...hosts].join("  ") || "no host"),
    element("h3", {}, "It may call"), journeyTable(own.filter(passes), false, "nothing"),
    element("h3", {}, "May call it"), journeyTable(outbound.filter(passes), true, "nobody"),
    ...folded("Others at its door", others, true),
    ...folded("Refused from it", own.filter((each) => !passes(each)), false),
    ...folded("Refused towards it", outbound.filter((each) => !passes(each)), true),
  );
  history.replaceState(null, "", `#partners=${encodeURIComponent(partner)}`);
}
