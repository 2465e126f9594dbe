"use strict";

// Everything can be read without this script: it sorts, filters and copies.

const value = (cell) => cell.dataset.value ?? cell.textContent.trim();

function compare(a, b) {
  const x = Number(a), y = Number(b);
  return Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b, undefined, { numeric: true }) : x - y;
}

function sort(table, column, descending) {
  const rows = [...table.tBodies[0].rows];
  const known = (text) => text !== "" && text !== "–";
  rows.sort((first, second) => {
    const a = value(first.cells[column]), b = value(second.cells[column]);
    if (known(a) !== known(b)) return known(a) ? -1 : 1; // what is not known stays below
    return (descending ? -1 : 1) * compare(a, b);
  });
  table.tBodies[0].append(...rows);
}

for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    head.querySelector("button").addEventListener("click", () => {
      const order = head.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", order);
      sort(table, column, order === "descending");
    });
  });
}

const form = document.querySelector("form.filters");
if (form) {
  const cards = [...document.querySelectorAll(".cards > li")];
  const filter = () => {
    const wanted = [...new FormData(form)].filter(([, choice]) => choice !== "");
    for (const card of cards) card.hidden = !wanted.every(([key, choice]) => card.dataset[key] === choice);
    form.querySelector("output").textContent = `${cards.filter((card) => !card.hidden).length} shown`;
  };
  form.hidden = cards.length === 0;
  form.addEventListener("input", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  filter();
}

for (const button of document.querySelectorAll("button.copy")) {
  button.hidden = !navigator.clipboard;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.parentElement.querySelector("code").textContent);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
}

// A printed page shows what is folded away on the screen.
addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details")) details.open = true;
});
