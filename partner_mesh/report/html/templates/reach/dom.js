// Elements are made, never parsed: text from objects cannot become markup.
const $ = (id) => document.getElementById(id);
function element(tag, attributes, ...children) {
  const made = document.createElement(tag);
  fill(made, attributes, children);
  return made;
}
function drawn(tag, attributes, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  fill(made, attributes, children);
  return made;
}
function fill(made, attributes, children) {
  for (const [key, value] of Object.entries(attributes || {})) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value !== false && value !== undefined) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children);
}
function chip(verdict) {
  return element("span", { class: `chip ${verdict}` }, WORDS[verdict] || verdict);
}
function letter(layer) {
  return element("span", { class: "letter", title: data.layers[layer][0] }, data.layers[layer][1]);
}
