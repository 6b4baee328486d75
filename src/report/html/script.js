"use strict";
// Sorting and filtering; the page says the same without it.
(() => {
  const table = document.querySelector("#files table");
  const body = table.tBodies[0];
  const rows = Array.from(body.rows);
  const tools = document.querySelector(".tools");
  const [text, verdict, shown] = [tools.querySelector("input"), tools.querySelector("select"), tools.querySelector("output")];
  const filter = () => {
    const wanted = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const row of rows) {
      const content = row.textContent.toLowerCase() + " " + row.dataset.rules.toLowerCase();
      const fits = (!verdict.value || row.dataset.verdictName === verdict.value) && wanted.every((word) => content.includes(word));
      row.hidden = !fits;
      count += fits ? 1 : 0;
    }
    shown.value = count === rows.length ? "" : count + " of " + rows.length;
  };
  text.addEventListener("input", filter);
  verdict.addEventListener("change", filter);
  tools.hidden = rows.length < 2;
  for (const head of table.tHead.rows[0].cells) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const key = head.dataset.key;
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const value = (row) => row.dataset[key];
      const number = rows.every((row) => value(row) !== "" && !Number.isNaN(Number(value(row))));
      const order = (a, b) => number ? Number(value(a)) - Number(value(b)) : value(a) < value(b) ? -1 : value(a) > value(b) ? 1 : 0;
      rows.sort((a, b) => (down ? order(b, a) : order(a, b)));
      body.append(...rows);
    });
  }
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((one) => { one.open = true; }));
})();
