/* The report: draws charts from the JSON views, switches tabs, keeps the live counter going. */
(function () {
  "use strict";

  var style = getComputedStyle(document.documentElement);
  var colour = function (name) { return style.getPropertyValue(name).trim(); };
  var charts = new Map();

  function getJson(url) {
    return fetch(url, { headers: { Accept: "application/json" }, credentials: "same-origin" }).then(function (reply) {
      if (!reply.ok) { throw new Error("HTTP " + reply.status); }
      return reply.json();
    });
  }

  function seriesOptions(data) {
    return {
      type: "line",
      data: {
        labels: data.labels,
        datasets: data.datasets.map(function (set, index) {
          return {
            data: set.data, label: set.label, cubicInterpolationMode: "monotone",
            pointRadius: set.data.length === 1 ? 3 : 0, pointHitRadius: 16,
            borderWidth: index ? 1.25 : 2.25, borderDash: index ? [3, 4] : [],
            borderColor: index ? colour("--ink-2") : colour("--accent"),
            backgroundColor: colour("--bar"), fill: index === 0, order: -index,
            /* The day or hour under way is not over: its piece of the line is dashed. */
            segment: index || !data.unfinished ? {} : {
              borderDash: function (piece) { return piece.p1DataIndex === set.data.length - 1 ? [3, 4] : undefined; }
            }
          };
        })
      },
      options: {
        animation: false, responsive: true, maintainAspectRatio: false,
        interaction: { mode: "index", intersect: false },
        plugins: {
          legend: { display: false },
          tooltip: { callbacks: { title: function (items) { return data.titles[items[0].dataIndex]; } } }
        },
        scales: {
          x: { grid: { display: false }, border: { color: colour("--rule-strong") }, ticks: { color: colour("--ink-2"), maxRotation: 0, autoSkipPadding: 24 } },
          y: { beginAtZero: true, border: { display: false }, grid: { color: colour("--rule") }, ticks: { color: colour("--ink-2"), precision: 0, maxTicksLimit: 5 } }
        }
      }
    };
  }

  /* Bars behind the rows of a table: a chart without axes, as high as the table's body. */
  function topOptions(data) {
    return {
      type: "bar",
      data: {
        labels: data.labels,
        datasets: [{ data: data.datasets[0].data, backgroundColor: colour("--bar"), borderRadius: 3, barPercentage: 0.84, categoryPercentage: 1 }]
      },
      options: {
        indexAxis: "y", animation: false, responsive: false, events: [],
        layout: { padding: 0 }, plugins: { legend: { display: false }, tooltip: { enabled: false } },
        scales: { x: { display: false, min: 0, max: Math.max.apply(null, data.datasets[0].data.concat(1)) }, y: { display: false } }
      }
    };
  }

  function draw(canvas) {
    var old = charts.get(canvas);
    if (old) { old.destroy(); charts.delete(canvas); }
    getJson(canvas.dataset.url).then(function (data) {
      if (!canvas.isConnected) { return; }
      if (canvas.dataset.chart === "top") {
        var body = canvas.parentNode.querySelector("tbody");
        canvas.width = body.querySelector("th").offsetWidth;
        canvas.height = body.offsetHeight;
        charts.set(canvas, new window.Chart(canvas, topOptions(data)));
      } else {
        charts.set(canvas, new window.Chart(canvas, seriesOptions(data)));
      }
      canvas.dataset.drawn = "yes";
    }).catch(function () {
      canvas.dataset.drawn = "no";
      if (canvas.dataset.chart === "series") {
        canvas.parentNode.textContent = "The chart could not be loaded. Reload the page to try again.";
      }
    });
  }

  function drawAll(root) { root.querySelectorAll("canvas[data-chart]").forEach(draw); }

  function choose(tab) {
    var list = tab.closest("[role=tablist]");
    var body = document.getElementById(tab.getAttribute("aria-controls"));
    list.querySelectorAll("[role=tab]").forEach(function (other) {
      other.setAttribute("aria-selected", String(other === tab));
      other.tabIndex = other === tab ? 0 : -1;
    });
    body.setAttribute("aria-labelledby", tab.id);
    fetch(tab.dataset.panel, { credentials: "same-origin" }).then(function (reply) {
      if (!reply.ok) { throw new Error("HTTP " + reply.status); }
      return reply.text();
    }).then(function (html) {
      if (tab.getAttribute("aria-selected") !== "true") { return; }
      body.innerHTML = html;
      drawAll(body);
    }).catch(function () {
      body.innerHTML = "<p class=\"empty\">This could not be loaded. Choose it again to try once more.</p>";
    });
  }

  document.addEventListener("click", function (event) {
    var tab = event.target.closest("[role=tab]");
    if (tab) { choose(tab); }
  });
  document.addEventListener("keydown", function (event) {
    var tab = event.target.closest("[role=tab]");
    var step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!tab || !step) { return; }
    var tabs = Array.from(tab.parentNode.querySelectorAll("[role=tab]"));
    var next = tabs[(tabs.indexOf(tab) + step + tabs.length) % tabs.length];
    next.focus();
    choose(next);
  });

  var live = document.getElementById("live");
  function refreshLive() {
    if (document.hidden) { return; }
    fetch(live.dataset.url, { credentials: "same-origin" }).then(function (reply) {
      if (!reply.ok) { throw new Error("HTTP " + reply.status); }
      return reply.text();
    }).then(function (html) {
      if (live.innerHTML !== html) { live.innerHTML = html; }
      delete live.dataset.away;
    }).catch(function () { live.dataset.away = "yes"; });
  }
  if (live) { setInterval(refreshLive, 1500); document.addEventListener("visibilitychange", refreshLive); }

  var resized;
  window.addEventListener("resize", function () {
    clearTimeout(resized);
    resized = setTimeout(function () { document.querySelectorAll("canvas[data-chart=top]").forEach(draw); }, 150);
  });
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", function () { drawAll(document); });
  drawAll(document);
})();
