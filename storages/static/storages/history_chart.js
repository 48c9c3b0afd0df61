// Draws the runs of a storage from the data beside the canvas; the table below says the same in text.
"use strict";
(() => {
  const canvas = document.getElementById("history-chart");
  const data = JSON.parse(document.getElementById("history-data").textContent);
  const clock = new Intl.DateTimeFormat("en-GB", {day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", timeZone: "UTC"});
  const labels = data.times.map((time, index) => [`Run ${data.runs[index]}`, clock.format(new Date(time))]);
  const still = matchMedia("(prefers-reduced-motion: reduce)");

  // A token holds a colour for each theme; only a colour that is in use is resolved to one.
  const colour = (token) => {
    canvas.style.color = `var(${token})`;
    const found = getComputedStyle(canvas).color;
    canvas.style.color = "";
    return found;
  };
  const bars = (label, values, token) => ({
    type: "bar", label, data: values.map((value) => value || null), yAxisID: "objects", order: 1, maxBarThickness: 28,
    minBarLength: 3, borderRadius: 2, backgroundColor: colour(token),
  });
  const line = (label, values, token) => ({
    type: "line", label, data: values, yAxisID: "rate", order: 0, borderWidth: 2, borderDash: [6, 4], pointRadius: 4,
    pointStyle: "rectRot", spanGaps: true, borderColor: colour(token), backgroundColor: colour(token),
  });
  const axis = (text, more) => ({
    beginAtZero: true, title: {display: Boolean(text), text, color: colour("--muted")}, border: {color: colour("--line")},
    grid: {color: colour("--line"), ...more.grid}, ticks: {color: colour("--muted"), ...more.ticks}, position: more.position,
  });
  const drawing = (animation) => ({
    data: {
      labels,
      datasets: [
        bars("Listed", data.listed, "--line-strong"),
        bars("New", data.new, "--accent"),
        bars("Failed", data.failed, "--danger"),
        line("Objects per second", data.rate, "--warn"),
      ],
    },
    options: {
      maintainAspectRatio: false,
      animation,
      interaction: {mode: "index", intersect: false},
      plugins: {
        colors: {enabled: false},
        legend: {position: "bottom", labels: {usePointStyle: true, color: colour("--text"), sort: (a, b) => a.datasetIndex - b.datasetIndex}},
      },
      scales: {
        x: axis("", {grid: {display: false}, ticks: {maxRotation: 0, autoSkipPadding: 16}, position: "bottom"}),
        objects: axis("Objects", {ticks: {precision: 0}, position: "left"}),
        rate: axis("Objects per second", {grid: {display: false}, position: "right"}),
      },
    },
  });

  let chart = new Chart(canvas, drawing(still.matches ? false : {duration: 300}));
  const redraw = () => {
    chart.destroy();
    chart = new Chart(canvas, drawing(false));
  };
  new MutationObserver(redraw).observe(document.documentElement, {attributes: true, attributeFilter: ["data-theme"]});
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
})();
