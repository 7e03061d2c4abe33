// Refreshes live pages, draws the chart, copies values, opens the filters on a phone, and tells the server the browser's
// time zone. Without scripts everything else works: the server sends complete pages.
(() => {
  "use strict";
  const REFRESH_INTERVAL_MS = 5000;

  // A refresh keeps what the reader opened, selected or typed, and the chart, which gets its new data from `drawChart`.
  if (window.Idiomorph) {
    Idiomorph.defaults.callbacks.beforeNodeMorphed = (node) => node.id !== "chart";
    Idiomorph.defaults.callbacks.beforeAttributeUpdated = (name, node) =>
      !((node.tagName === "DETAILS" && name === "open") || (node.tagName === "INPUT" && ["checked", "value"].includes(name)));
  }

  const isBusy = (live) =>
    document.hidden ||
    live.querySelector("input[name=id]:checked") !== null ||
    live.querySelector("details.action[open]") !== null ||
    (live.contains(document.activeElement) && document.activeElement.matches("input, select, textarea"));

  setInterval(() => {
    const live = document.getElementById("live");
    if (live && live.hasAttribute("hx-get") && !isBusy(live)) htmx.trigger(live, "refresh");
  }, REFRESH_INTERVAL_MS);

  const root = document.documentElement;
  const language = root.lang;

  // The server writes all times in the reader's zone. A page that it wrote before it knew the browser's is loaded again.
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const zoneCookie = `connector_browser_timezone=${zone}`;
  if (zone && !document.cookie.split("; ").includes(zoneCookie)) {
    const secure = location.protocol === "https:" ? "; secure" : "";
    document.cookie = `${zoneCookie}; path=/; max-age=31536000; samesite=lax${secure}`;
    const isKept = document.cookie.split("; ").includes(zoneCookie);
    if (isKept && "followsBrowser" in root.dataset && root.dataset.timezone !== zone) location.reload();
  }

  // Stacked bars: each series is added to those below it, and the tallest is drawn first.
  let chart = null;
  function drawChart() {
    const container = document.getElementById("chart");
    const source = document.getElementById("chart-data");
    if (!container || !source || !window.uPlot) return;
    const { hours, series } = JSON.parse(source.textContent);
    let sums = hours.map(() => 0);
    const stacked = Object.values(series).map((counts) => (sums = sums.map((sum, index) => sum + counts[index])));
    const data = [hours, ...stacked.reverse()];
    if (chart) {
      chart.setData(data);
      return;
    }
    const style = getComputedStyle(root);
    const colour = (name) => style.getPropertyValue(name).trim();
    const fills = ["--grey-fill", "--amber-fill", "--blue-fill", "--green-fill"].map(colour);
    const textColour = colour("--pico-color"), lineColour = colour("--pico-muted-border-color");
    const bars = uPlot.paths.bars({ size: [0.7, 60] });
    const axis = { stroke: textColour, grid: { stroke: lineColour, width: 1 }, ticks: { stroke: lineColour } };
    const hourFormat = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit", timeZone: root.dataset.timezone });
    const formatHours = (_, values) => values.map((seconds) => hourFormat.format(new Date(seconds * 1000)));
    chart = new uPlot(
      {
        width: container.clientWidth,
        height: 220,
        cursor: { show: false },
        legend: { show: false },
        scales: { x: { time: true, range: (_, low, high) => [low - 1800, high + 1800] }, y: { range: (_, __, high) => [0, Math.max(high, 4)] } },
        axes: [{ ...axis, values: formatHours }, { ...axis, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5] }],
        series: [{}, ...fills.map((fill) => ({ fill, stroke: fill, width: 0, paths: bars, points: { show: false } }))],
      },
      data,
      container,
    );
    new ResizeObserver(() => chart.setSize({ width: container.clientWidth, height: 220 })).observe(container);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      chart.destroy();
      chart = null;
      drawChart();
    });
  }

  function showSelectedCount() {
    const element = document.getElementById("selected-count");
    if (element) element.textContent = document.querySelectorAll("input[name=id]:checked").length;
  }
  document.addEventListener("change", (event) => {
    if (event.target.id === "select-all") {
      for (const checkbox of document.querySelectorAll("input[name=id]")) checkbox.checked = event.target.checked;
    }
    showSelectedCount();
  });

  document.addEventListener("click", async (event) => {
    const copy = event.target.closest("button.copy");
    if (copy) {
      await copyText(document.getElementById(copy.getAttribute("aria-describedby")));
      copy.textContent = copy.dataset.copied;
      return;
    }
    const toggle = event.target.closest("button.filter-toggle");
    if (toggle) {
      const isOpen = document.getElementById(toggle.getAttribute("aria-controls")).classList.toggle("is-open");
      toggle.setAttribute("aria-expanded", isOpen);
    }
  });

  // Browsers have a clipboard only over HTTPS and on this machine. Elsewhere the value is selected, to be copied by hand.
  async function copyText(element) {
    if (navigator.clipboard) return navigator.clipboard.writeText(element.textContent);
    getSelection().selectAllChildren(element);
    document.execCommand("copy");
  }

  function updatePage() {
    drawChart();
    showSelectedCount();
  }
  document.addEventListener("htmx:afterSettle", updatePage);
  document.addEventListener("DOMContentLoaded", () => {
    document.querySelector("nav.menu [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
    updatePage();
  });
})();
