"use strict";
(() => {
  const box = document.getElementById("filter");
  const shown = document.getElementById("shown");
  if (!box) return;
  const rows = [...document.querySelectorAll("tbody tr:not(.none)")];
  box.form.addEventListener("submit", (event) => event.preventDefault());
  box.addEventListener("input", () => {
    const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const fold of document.querySelectorAll("details")) fold.open = words.length > 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      if (!row.hidden) count += 1;
    }
    shown.textContent = words.length ? `${count} of ${rows.length}` : "";
  });
})();
