"use strict";
// Without this script the tables are as they were written.  A cell counts as the number that it begins with.
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  if (body.rows.length < 2) continue;
  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const down = heading.getAttribute("aria-sort") === "ascending";
      headings.forEach((other) => other.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", down ? "descending" : "ascending");
      const keyed = [...body.rows].map((row) => {
        const text = row.cells[column].textContent.trim();
        return { row, text, number: parseFloat(text) };
      });
      const sign = down ? -1 : 1;
      keyed.sort((a, b) => {
        const known = [a, b].map((each) => !Number.isNaN(each.number));
        if (known[0] && known[1] && a.number !== b.number) return sign * (a.number - b.number);
        if (known[0] !== known[1]) return known[0] ? -1 : 1; // what is no number comes last
        return sign * a.text.localeCompare(b.text, "en", { numeric: true });
      });
      body.append(...keyed.map((each) => each.row));
    });
  });
}
