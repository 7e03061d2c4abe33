// Keeps pages live without losing one's place, draws the chart, and shows instants in the reader's own time.
// Everything works without it: pages are whole as the server sends them.
(() => {
  "use strict";
  const EVERY_MS = 5000;

  // What the reader opened or ticked stays so when the page is brought up to date.
  if (window.Idiomorph) {
    Idiomorph.defaults.callbacks.beforeAttributeUpdated = (name, node) =>
      !((node.tagName === "DETAILS" && name === "open") || (node.tagName === "INPUT" && ["checked", "value"].includes(name)));
  }

  const isBusy = (live) =>
    document.hidden ||
    live.querySelector("input[name=id]:checked") !== null ||
    live.querySelector("details.act[open]") !== null ||
    (live.contains(document.activeElement) && document.activeElement.matches("input, select, textarea"));

  setInterval(() => {
    const live = document.getElementById("live");
    if (live && live.hasAttribute("hx-get") && !isBusy(live)) htmx.trigger(live, "refresh");
  }, EVERY_MS);

  const language = document.documentElement.lang;
  function showInstants() {
    for (const time of document.querySelectorAll("time[datetime]")) {
      const at = new Date(time.getAttribute("datetime"));
      const local = at.toLocaleString(language, { dateStyle: "medium", timeStyle: "medium" });
      if (time.hasAttribute("data-age")) time.title = local;
      else time.textContent = local;
    }
  }

  // Stacked bars: each series is drawn over the one that holds it too, the tallest first.
  let chart = null;
  function drawChart() {
    const holder = document.getElementById("chart");
    const source = document.getElementById("chart-data");
    if (!holder || !source || !window.uPlot) return;
    const told = JSON.parse(source.textContent);
    const names = Object.keys(told.series);
    let below = told.hours.map(() => 0);
    const stacked = names.map((name) => (below = below.map((sum, place) => sum + told.series[name][place])));
    const data = [told.hours, ...stacked.reverse()];
    if (chart) {
      chart.setData(data);
      return;
    }
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    const fills = ["--grey-fill", "--amber-fill", "--blue-fill", "--green-fill"].map(colour);
    const text = colour("--pico-color"), lines = colour("--pico-muted-border-color");
    const bars = uPlot.paths.bars({ size: [0.7, 60] });
    const axis = { stroke: text, grid: { stroke: lines, width: 1 }, ticks: { stroke: lines } };
    const clock = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit" });
    chart = new uPlot(
      {
        width: holder.clientWidth,
        height: 220,
        cursor: { show: false },
        legend: { show: false },
        scales: { x: { time: true, range: (_, low, high) => [low - 1800, high + 1800] }, y: { range: (_, __, high) => [0, Math.max(high, 4)] } },
        axes: [{ ...axis, values: (_, at) => at.map((one) => clock.format(new Date(one * 1000))) }, { ...axis, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5] }],
        series: [{}, ...fills.map((fill) => ({ fill, stroke: fill, width: 0, paths: bars, points: { show: false } }))],
      },
      data,
      holder,
    );
    new ResizeObserver(() => chart.setSize({ width: holder.clientWidth, height: 220 })).observe(holder);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      chart.destroy();
      chart = null;
      drawChart();
    });
  }

  function countChosen() {
    const said = document.getElementById("chosen");
    if (said) said.textContent = document.querySelectorAll("input[name=id]:checked").length;
  }
  document.addEventListener("change", (event) => {
    if (event.target.id === "choose-all") {
      for (const box of document.querySelectorAll("input[name=id]")) box.checked = event.target.checked;
    }
    countChosen();
  });

  function settle() {
    showInstants();
    drawChart();
    countChosen();
  }
  document.addEventListener("htmx:afterSettle", settle);
  document.addEventListener("DOMContentLoaded", settle);
})();
