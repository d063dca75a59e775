"use strict";
(() => {
  const PAGE = 200;
  const STANDINGS = ["yes", "depends", "unknown", "elsewhere", "no"];
  const compare = new Intl.Collator("en", { numeric: true }).compare;

  const enhance = (table) => {
    const body = table.tBodies[0];
    const tools = document.querySelector(`[data-tools="${table.id}"]`);
    const search = tools.querySelector("[data-search]");
    const filter = tools.querySelector("[data-filter]");
    const status = tools.querySelector("[data-status]");
    const pagers = [...tools.querySelectorAll("[data-page]")];
    let rows = Array.from(body.rows, (row) => ({
      row,
      text: row.textContent.toLowerCase(),
      marks: new Set(Array.from(row.cells, (cell) => cell.className)),
    }));
    const scroll = table.closest(".scroll");
    let page = 0;
    let found = [];

    const put = (from, to) => body.replaceChildren(...found.slice(from, to).map(({ row }) => row));
    const show = () => {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      const mark = filter.value;
      found = rows.filter(({ text, marks }) => (!mark || marks.has(mark)) && words.every((word) => text.includes(word)));
      const pages = Math.max(1, Math.ceil(found.length / PAGE));
      page = Math.min(Math.max(page, 0), pages - 1);
      put(page * PAGE, (page + 1) * PAGE);
      tools.querySelector(".pages").hidden = pages === 1;
      for (const pager of pagers) {
        const target = page + Number(pager.dataset.page);
        pager.disabled = target < 0 || target >= pages;
      }
      const first = found.length ? page * PAGE + 1 : 0;
      status.textContent = `${first} to ${page * PAGE + body.rows.length} of ${found.length} found, ${rows.length} in all`;
    };

    const value = (row, index, kind) => {
      const cell = row.cells[index];
      if (kind === "rank") return cell.dataset.rank;
      if (kind === "standing") return `${STANDINGS.indexOf(cell.className)} ${cell.textContent}`;
      return cell.textContent;
    };

    const sort = (heading) => {
      const direction = heading.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", direction);
      const sign = direction === "ascending" ? 1 : -1;
      const keyed = rows.map((entry) => [value(entry.row, heading.cellIndex, heading.dataset.sort), entry]);
      keyed.sort((left, right) => sign * compare(left[0], right[0]));
      rows = keyed.map(([, entry]) => entry);
      page = 0;
      show();
    };

    for (const heading of table.tHead.rows[0].cells) {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...heading.childNodes);
      heading.append(button);
      button.addEventListener("click", () => sort(heading));
    }
    const anew = () => { page = 0; show(); };
    search.addEventListener("input", anew);
    filter.addEventListener("change", anew);
    for (const pager of pagers) {
      pager.addEventListener("click", () => { page += Number(pager.dataset.page); show(); scroll.scrollTop = 0; });
    }
    // Paper has no pages to turn.
    addEventListener("beforeprint", () => put(0, found.length));
    addEventListener("afterprint", show);
    tools.hidden = false;
    show();
  };

  // Until they are in pages, rows are not laid out: thousands of them take seconds.  Without this script they are all there.
  document.documentElement.className = "js";
  document.addEventListener("DOMContentLoaded", () => {
    for (const table of document.querySelectorAll("table[data-paged]")) {
      try {
        enhance(table);
      } finally {
        table.dataset.ready = "";
      }
    }
  });
})();
