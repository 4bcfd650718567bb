"use strict";
(() => {
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const touch = window.matchMedia("(hover: none)").matches;

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const ink = () => colour("--ink");

  // The colours of the page, as changes to a chart's layout.
  const theme = (layout, isDark) => {
    const clear = "rgba(0,0,0,0)";
    const change = {
      "paper_bgcolor": clear,
      "plot_bgcolor": clear,
      "font.color": ink(),
      "hoverlabel.bgcolor": colour("--panel"),
      "hoverlabel.bordercolor": colour("--axis"),
      "hoverlabel.font.color": ink(),
      "modebar.color": colour("--axis"),
      "modebar.activecolor": ink(),
      "modebar.bgcolor": clear,
    };
    for (const axis of new Set(["xaxis", "yaxis", ...Object.keys(layout).filter((key) => /^[xy]axis\d*$/.test(key))])) {
      change[axis + ".gridcolor"] = colour("--grid");
      change[axis + ".linecolor"] = colour("--axis");
      change[axis + ".tickcolor"] = colour("--axis");
      change[axis + ".zerolinecolor"] = colour("--axis");
    }
    const scale = (layout.meta || {})[isDark ? "dark" : "light"];
    if (scale) change["coloraxis.colorscale"] = scale;
    return change;
  };

  const set = (tree, path, value) => {
    const names = path.split(".");
    const last = names.pop();
    for (const name of names) tree = tree[name] = tree[name] || {};
    tree[last] = value;
  };

  const buttons = [["toImage", "zoom2d", "pan2d", "resetScale2d"]];
  const config = { responsive: true, displaylogo: false, displayModeBar: touch ? false : "hover", modeBarButtons: buttons };
  const plots = [];
  for (const block of document.querySelectorAll("script.plot-data")) {
    const place = document.getElementById(block.dataset.for);
    const figure = JSON.parse(block.textContent);
    const layout = figure.layout || {};
    if (touch) layout.dragmode = false; // a finger on a chart scrolls the page
    for (const [path, value] of Object.entries(theme(layout, dark.matches))) set(layout, path, value);
    const spreads = figure.data.flatMap((trace, i) => (trace.error_y && !trace.error_y.color ? [i] : []));
    for (const i of spreads) figure.data[i].error_y.color = ink();
    Plotly.newPlot(place, figure.data, layout, config).then(() => figure.frames && Plotly.addFrames(place, figure.frames));
    plots.push([place, layout, spreads]);
  }

  const recolour = (isDark) => {
    for (const [place, layout, spreads] of plots) {
      Plotly.update(place, spreads.length ? { "error_y.color": ink() } : {}, theme(layout, isDark), spreads);
    }
  };
  dark.addEventListener("change", () => recolour(dark.matches));
  window.addEventListener("beforeprint", () => recolour(false));
  window.addEventListener("afterprint", () => recolour(dark.matches));
})();
