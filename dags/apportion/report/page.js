"use strict";
(async () => {
  // The numbers lie in the page packed, a fifth of their size.
  const packed = atob(document.getElementById("contents").textContent);
  const bytes = Uint8Array.from(packed, (letter) => letter.charCodeAt(0));
  const unpacked = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const { facts, datasets, cards } = await new Response(unpacked).json();
  // Columns that take one value each: every row stands for one of them, and they never add up.
  const EVERYWHERE = {
    conversion_type: "Conversion type",
    attribution_model: "Model",
    attribution_scope: "Touches",
    segment_family: "Segment family",
  };
  const HERE = {
    period: "Period", path_kind: "Path", date_basis: "Dated by", funnel: "Funnel",
  };
  const VALUES = { conversions: "Conversions", revenue: "Revenue" };
  const PREFERRED = {
    attribution_model: facts.default_attribution_model, attribution_scope: "all",
    segment_family: "rfm", period: "last_90_days", path_kind: "unique",
  };
  const COLOURS = [
    "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#8c6bb1", "#8d9a2b",
    "#a05a2c", "#6b7683",
  ];
  const SYMBOLS = ["circle", "square", "diamond", "triangle-up", "cross", "x", "star", "pentagon"];
  const SHOWN = 25;
  // No element of their own: they come last, and are never the one with most.
  const REST = new Set(["(other)", "(none)", "unattributed", "none"]);
  const state = { value: "conversions", from: "", to: "", compared: {}, here: {} };

  const element = (name, attributes = {}, text = null) => {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== null) made.textContent = text;
    return made;
  };

  // Numbers and names as people read them.
  const plain = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });
  const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
  const share = new Intl.NumberFormat("en", { style: "percent", maximumFractionDigits: 1 });
  let money = plain;
  try {
    money = new Intl.NumberFormat("en", { style: "currency", currency: facts.reporting_currency });
  } catch {
    // A currency that the browser does not know: the number alone.
  }
  const FORMATS = { count: whole, number: plain, money, percent: share };
  const figure = (value, kind) => value === null || value === undefined
    ? "unknown" : FORMATS[kind].format(value);
  const words = (name) => name.replaceAll("_", " ");
  const title = (name) => words(name).replace(/^./, (letter) => letter.toUpperCase())
    .replace(/\b(clv|roas|cpa|auc|ci)\b/gi, (word) => word.toUpperCase());
  // A name of another direction must not turn the sentence around it.
  const named = (name) => `\u2068${cut(name, 60)}\u2069`;
  // The middle of a long name goes: what tells it from its neighbours is often at its end.
  const cut = (name, length) => {
    const letters = Array.from(name);
    const kept = Math.floor((length - 1) / 2);
    return letters.length > length
      ? letters.slice(0, kept).join("") + "…" + letters.slice(-kept).join("") : name;
  };
  // Plotly reads tags and entities in its texts.
  const inert = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;");
  const label = (text, length = 26) => inert(cut(text, length));

  const columnOf = (dataset, name) => {
    const column = dataset.columns[name];
    return column.numbers
      ? (place) => column.numbers[place]
      : (place) => column.values[column.codes[place]];
  };
  const valuesOf = (dataset, name) => dataset.columns[name]?.values ?? [];
  const everyValue = (name) => {
    const found = new Set();
    for (const dataset of Object.values(datasets)) {
      for (const value of valuesOf(dataset, name)) found.add(value);
    }
    return [...found];
  };

  const monthsColumn = (dataset) => ["month", "day"].find((name) => dataset.columns[name]?.values);
  const rowsOf = (card) => {
    const dataset = datasets[card.dataset];
    const tests = [];
    const chosen = [];
    for (const name of [...Object.keys(EVERYWHERE), ...Object.keys(HERE)]) {
      if (!dataset.columns[name] || card.by.includes(name) || card.chart === "rows") continue;
      const wanted = name in EVERYWHERE ? state[name] : state.here[card.name][name];
      chosen.push(wanted);
      const get = columnOf(dataset, name);
      tests.push((place) => get(place) === wanted);
    }
    const months = monthsColumn(dataset);
    if (months && card.chart !== "rows" && (state.from || state.to)) {
      const get = columnOf(dataset, months);
      tests.push((place) => {
        const month = get(place).slice(0, 7);
        return (!state.from || month >= state.from) && (!state.to || month <= state.to);
      });
    }
    const places = [];
    for (let place = 0; place < dataset.rows; place += 1) {
      if (tests.every((test) => test(place))) places.push(place);
    }
    return { dataset, places, chosen };
  };

  const main = (card) => card.values.includes(state.value) ? state.value : card.values[0];
  const kindOf = (card, name) => card.ratios[name]?.[2] ?? datasets[card.dataset].kinds[name];

  // Sums by the columns of the card; ratios are taken of the sums.
  const summed = (card, { dataset, places }) => {
    const measures = [...new Set([
      ...card.values, ...card.shown, ...Object.values(card.ratios).flatMap(([a, b]) => [a, b]),
    ])].filter((name) => dataset.columns[name]?.numbers);
    const gets = Object.fromEntries(
      [...card.by, ...measures].map((name) => [name, columnOf(dataset, name)]),
    );
    const groups = new Map();
    for (const place of places) {
      const keys = card.by.map((name) => gets[name](place));
      const key = JSON.stringify(keys);
      if (!groups.has(key)) groups.set(key, { keys, amounts: {} });
      else if (!card.is_summed) throw new Error(`${card.name} has two rows of ${key}`);
      const { amounts } = groups.get(key);
      for (const name of measures) {
        const value = gets[name](place);
        if (value === null) amounts[name] ??= null;
        else amounts[name] = (amounts[name] ?? 0) + value;
      }
    }
    const rows = [...groups.values()];
    for (const { amounts } of rows) {
      for (const [name, [above, below]] of Object.entries(card.ratios)) {
        amounts[name] = amounts[below] && amounts[above] !== null
          ? amounts[above] / amounts[below] : null;
      }
    }
    if (!card.in_order) {
      const totals = new Map();
      const value = main(card);
      for (const { keys, amounts } of rows) {
        totals.set(keys[0], (totals.get(keys[0]) ?? 0) + Math.abs(amounts[value] ?? 0));
      }
      rows.sort((one, other) => REST.has(one.keys[0]) - REST.has(other.keys[0])
        || totals.get(other.keys[0]) - totals.get(one.keys[0])
        || one.keys[0].localeCompare(other.keys[0])
        || (other.amounts[value] ?? 0) - (one.amounts[value] ?? 0));
    }
    return rows;
  };

  // What a card shows: the header and rows of its table, and its sentence.
  const view = (card) => {
    const selected = rowsOf(card);
    if (!selected.places.length) return { rows: [], header: [], kinds: [], table: [] };
    if (card.chart === "rows") return listed(selected);
    let rows = summed(card, selected);
    if (card.chart === "compare") return compared(card, rows);
    if (card.chart === "funnel") {
      const first = rows[0]?.amounts.users;
      rows.forEach((row, place) => {
        row.amounts.of_first = first ? row.amounts.users / first : null;
        const before = place ? rows[place - 1].amounts.users : first;
        row.amounts.step_rate = before ? row.amounts.users / before : null;
      });
    }
    const names = [...new Set([...card.values, ...card.shown, ...Object.keys(card.ratios),
      ...(card.chart === "funnel" ? ["of_first", "step_rate"] : [])])];
    const kinds = names.map((name) => kindOf(card, name) ?? "percent");
    return {
      rows,
      header: [...card.by, ...names],
      kinds: [...card.by.map(() => null), ...kinds],
      table: rows.map(({ keys, amounts }) => [...keys, ...names.map((name) => amounts[name] ?? null)]),
    };
  };

  const listed = ({ dataset, places }) => {
    const names = Object.keys(dataset.columns);
    const gets = names.map((name) => columnOf(dataset, name));
    return {
      rows: places,
      header: names,
      kinds: names.map((name) => dataset.kinds[name] ?? null),
      table: places.map((place) => gets.map((get) => get(place))),
    };
  };

  const compared = (card) => {
    const value = main(card);
    const other = state.compared[card.name];
    const both = { ...card, by: [...card.by, "attribution_model"], is_summed: true };
    const pairs = new Map();
    for (const { keys: [key, model], amounts } of summed(both, rowsOf(both))) {
      if (!pairs.has(key)) pairs.set(key, { keys: [key], amounts: { one: 0, other: 0 } });
      const { amounts: pair } = pairs.get(key);
      if (model === state.attribution_model) pair.one = amounts[value];
      if (model === other) pair.other = amounts[value];
    }
    const rows = [...pairs.values()].filter(({ amounts }) => amounts.one || amounts.other);
    for (const { amounts } of rows) {
      amounts.change = amounts.one ? (amounts.other - amounts.one) / amounts.one : null;
    }
    rows.sort((a, b) => REST.has(a.keys[0]) - REST.has(b.keys[0]) || b.amounts.one - a.amounts.one || a.keys[0].localeCompare(b.keys[0]));
    const kind = kindOf(card, value);
    return {
      rows,
      header: [...card.by, state.attribution_model, other, "percent_change"],
      kinds: [null, kind, kind, "percent"],
      table: rows.map(({ keys, amounts }) => [...keys, amounts.one, amounts.other, amounts.change]),
    };
  };

  // One sentence above each chart, computed of what is shown.
  const sentence = (card, { rows, table }) => {
    if (card.chart === "rows") return `${whole.format(table.length)} ${table.length === 1 ? "row" : "rows"}.`;
    const value = main(card);
    const kind = kindOf(card, value);
    const says = (number) => figure(number, kind);
    const of = ({ amounts }) => amounts[value];
    const known = rows.filter((row) => of(row) !== null && of(row) !== undefined);
    const name = words(value);
    if (card.chart === "compare") {
      const moved = rows.filter(({ keys, amounts }) => amounts.change !== null
        && !REST.has(keys[0]));
      if (!moved.length) return "The two models share no element to compare.";
      const most = moved.reduce((a, b) => Math.abs(b.amounts.change) > Math.abs(a.amounts.change) ? b : a);
      if (Math.abs(most.amounts.change) < 0.0005) return "The two models give every element the same.";
      return `Against ${words(state.attribution_model)}, ${words(state.compared[card.name])} moves `
        + `${named(most.keys[0])} most: ${most.amounts.change > 0 ? "+" : ""}`
        + `${share.format(most.amounts.change)}, from ${figure(most.amounts.one, kindOf(card, value))} `
        + `to ${figure(most.amounts.other, kindOf(card, value))} ${name}.`;
    }
    if (!known.length) return `No ${name} is known for this choice.`;
    const own = known.filter(({ keys }) => !keys.some((key) => REST.has(key)));
    const judged = own.length ? own : known;
    const largest = judged.reduce((a, b) => of(b) > of(a) ? b : a);
    const least = judged.reduce((a, b) => of(b) < of(a) ? b : a);
    const total = known.reduce((sum, row) => sum + of(row), 0);
    const where = ({ keys }) => keys.map(named).join(", ");
    if (card.chart === "funnel") {
      const last = rows.at(-1);
      const steps = rows.slice(1).filter(({ amounts }) => amounts.step_rate !== null);
      if (!steps.length) return `${says(of(rows[0]))} people began.`;
      const worst = steps.reduce((a, b) => b.amounts.step_rate < a.amounts.step_rate ? b : a);
      return `Of ${says(of(rows[0]))} who began, ${says(of(last))} `
        + `(${share.format(last.amounts.of_first)}) took the last step; most are lost before `
        + `${named(worst.keys[0])}, which ${share.format(worst.amounts.step_rate)} of the step before reach.`;
    }
    if (card.name === "tactic_lift") {
      const sure = known.filter(({ amounts }) => amounts.lift_ci_low > 0 || amounts.lift_ci_high < 0);
      return `${sure.length} of ${known.length} combinations differ by more than chance; the highest `
        + `lift is ${share.format(of(largest))} (${where(largest)}, n = ${whole.format(largest.amounts.journeys)}).`;
    }
    if (card.chart === "line" && card.by.length === 1) {
      const days = known.length;
      return `${says(total)} ${name} in ${whole.format(days)} days with any; most on `
        + `${where(largest)}: ${says(of(largest))}.`;
    }
    if (card.chart === "line") {
      const day = known.at(-1).keys[0];
      const now = known.filter(({ keys }) => keys[0] === day);
      const top = now.reduce((a, b) => of(b) > of(a) ? b : a);
      const people = now.reduce((sum, row) => sum + of(row), 0);
      return `On ${day}, ${named(top.keys[1])} is the largest segment: ${says(of(top))} of ${says(people)} people.`;
    }
    if (card.chart === "heat" && kind === "percent") {
      const many = ({ amounts }) => `, n = ${whole.format(amounts[card.shown[0]])}`;
      return `Highest ${name}: ${says(of(largest))} (${where(largest)}${many(largest)}); `
        + `lowest: ${says(of(least))} (${where(least)}${many(least)}).`;
    }
    if (card.by.length === 2 && card.by[1] === "attribution_model") {
      const key = known[0].keys[0];
      const same = known.filter(({ keys }) => keys[0] === key);
      const low = same.reduce((a, b) => of(b) < of(a) ? b : a);
      const high = same.reduce((a, b) => of(b) > of(a) ? b : a);
      if (Math.abs(of(high) - of(low)) < 0.005) return `Every model gives ${named(key)} ${says(of(low))} ${name}.`;
      return `${named(key)} has from ${says(of(low))} ${name} (${words(low.keys[1])}) to `
        + `${says(of(high))} (${words(high.keys[1])}), as the model says.`;
    }
    if (card.interval) {
      const { amounts } = largest;
      const low = amounts[`${value}_ci_low`];
      const high = amounts[`${value}_ci_high`];
      return `${where(largest)}: ${says(of(largest))} ${name}`
        + (low === null ? "." : `, with 95 % confidence between ${says(low)} and ${says(high)}.`);
    }
    if (card.chart === "sankey") {
      const begun = known.filter(({ keys }) => keys[0] === "1");
      const top = begun.reduce((a, b) => of(b) > of(a) ? b : a);
      const journeys = begun.reduce((sum, row) => sum + of(row), 0);
      return `Of ${says(journeys)} journeys with a touch, most begin with ${named(top.keys[1])} and go on to `
        + `${named(top.keys[2])}: ${says(of(top))} (${share.format(of(top) / journeys)}).`;
    }
    if (value in card.ratios || kind === "percent") {
      return known.length === 1 ? `${title(value)} is ${says(of(largest))} (${where(largest)}).`
        : `Highest ${name}: ${says(of(largest))} (${where(largest)}); lowest: ${says(of(least))} (${where(least)}).`;
    }
    if (least && of(least) < 0) {
      return `Most is added to ${where(largest)} (${says(of(largest))}), most taken from ${where(least)} (${says(of(least))}).`;
    }
    const part = total && !card.by.includes("attribution_scope") ? ` of ${says(total)} (${share.format(of(largest) / total)})` : "";
    return `Most ${name}: ${where(largest)} with ${says(of(largest))}${part}.`;
  };

  // Charts.
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const layout = (more) => ({
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { color: colour("--text"), size: 13, family: "system-ui, sans-serif" },
    margin: { l: 10, r: 16, t: 8, b: 40 }, showlegend: false, hovermode: "closest",
    legend: { orientation: "h", y: -0.12 },
    hoverlabel: { bgcolor: colour("--card"), font: { color: colour("--text") }, namelength: -1 },
    ...more,
  });
  const axis = (more) => ({
    automargin: true, gridcolor: colour("--line"), zerolinecolor: colour("--quiet"), fixedrange: true, ...more,
  });
  // Places on a line with names as ticks: names that look like numbers or days stay names.
  const names = (texts, more = {}) => axis({
    type: "linear", tickmode: "array", tickvals: texts.map((_, place) => place),
    ticktext: texts.map((text) => label(text)), showgrid: false, zeroline: false, ticklabelstandoff: 6,
    range: [-0.6, texts.length - 0.4], ...more,
  });
  const tickformat = (kind) => kind === "percent" ? { tickformat: ",.0%" } : { separatethousands: true };
  const hover = (keys, lines) => [...keys.map((key) => label(key, 80)), ...lines].join("<br>") + "<extra></extra>";

  const bars = (card, { rows }) => {
    const value = main(card);
    const kind = kindOf(card, value);
    const first = [...new Set(rows.map(({ keys }) => keys[0]))].slice(0, SHOWN);
    const place = new Map(first.map((key, at) => [key, at]));
    const shown = rows.filter(({ keys }) => place.has(keys[0]));
    const tip = ({ keys, amounts }) => hover(keys, [`${words(value)} ${figure(amounts[value], kind)}`]);
    const base = { hovertemplate: shown.map(tip) };
    const yaxis = names(first, {
      range: [first.length - 0.4, -0.6],
      ticktext: first.map((text) => label(text, card.name === "paths" && innerWidth > 800 ? 70 : 26)),
    });
    const xaxis = axis({ title: { text: title(value) }, rangemode: "tozero", ...tickformat(kind) });
    if (card.by.length === 1) {
      const trace = {
        ...base, type: "bar", orientation: "h", x: shown.map(({ amounts }) => amounts[value]),
        y: shown.map(({ keys }) => place.get(keys[0])), marker: { color: colour("--accent") },
      };
      if (card.interval) {
        trace.error_x = {
          type: "data", symmetric: false, color: colour("--text"), thickness: 1.5,
          array: shown.map(({ amounts }) => (amounts[`${value}_ci_high`] ?? amounts[value]) - amounts[value]),
          arrayminus: shown.map(({ amounts }) => amounts[value] - (amounts[`${value}_ci_low`] ?? amounts[value])),
        };
      }
      return [[trace], layout({ height: 90 + 30 * first.length, xaxis, yaxis })];
    }
    const series = [...new Set(shown.map(({ keys }) => keys[1]))].sort();
    const dots = series.length > 4;
    const traces = series.map((name, at) => {
      const own = shown.filter(({ keys }) => keys[1] === name);
      const tint = COLOURS[at % COLOURS.length];
      return {
        name: label(words(name)), hovertemplate: own.map(tip),
        x: own.map(({ amounts }) => amounts[value]), y: own.map(({ keys }) => place.get(keys[0])),
        ...(dots
          ? { type: "scatter", mode: "markers", marker: { color: tint, size: 9, symbol: SYMBOLS[at % SYMBOLS.length] } }
          : { type: "bar", orientation: "h", marker: { color: tint } }),
      };
    });
    return [traces, layout({
      height: 150 + (dots ? 34 : 16 * series.length + 14) * first.length + (dots ? 90 : 0),
      xaxis, yaxis, showlegend: true,
      legend: { orientation: "h", yref: "container", y: 0, yanchor: "bottom" },
      margin: { l: 10, r: 16, t: 8, b: dots ? 140 : 90 },
    })];
  };

  const columns = (card, { rows }) => {
    const value = main(card);
    const kind = kindOf(card, value);
    const first = [...new Set(rows.map(({ keys }) => keys[0]))];
    const place = new Map(first.map((key, at) => [key, at]));
    const series = [...new Set(rows.map(({ keys }) => keys[1] ?? value))];
    const traces = series.map((name, at) => {
      const own = rows.filter(({ keys }) => (keys[1] ?? value) === name);
      return {
        type: "bar", name: label(words(name)), marker: { color: series.length > 1 ? COLOURS[at] : colour("--accent") },
        x: own.map(({ keys }) => place.get(keys[0])), y: own.map(({ amounts }) => amounts[value]),
        hovertemplate: own.map(({ keys, amounts }) => hover(keys, [`${words(value)} ${figure(amounts[value], kind)}`])),
      };
    });
    return [traces, layout({
      height: 330, barmode: "stack", showlegend: series.length > 1, xaxis: names(first),
      legend: { orientation: "h", yref: "container", y: 1, yanchor: "top" },
      margin: { l: 10, r: 16, t: series.length > 1 ? 36 : 8, b: 40 },
      yaxis: axis({ title: { text: title(value) }, rangemode: "tozero", ...tickformat(kind) }),
    })];
  };

  const lines = (card, { rows }) => {
    const value = main(card);
    const kind = kindOf(card, value);
    const series = [...new Set(rows.map(({ keys }) => keys[1] ?? value))].sort();
    const traces = series.map((name, at) => {
      const own = rows.filter(({ keys }) => (keys[1] ?? value) === name);
      return {
        type: "scatter", mode: own.length < 40 ? "lines+markers" : "lines", name: label(words(name)),
        line: { width: series.length > 1 ? 2 : 1.3, color: series.length > 1 ? COLOURS[at % COLOURS.length] : colour("--accent") },
        marker: { symbol: SYMBOLS[at % SYMBOLS.length], size: 7 },
        x: own.map(({ keys }) => keys[0]), y: own.map(({ amounts }) => amounts[value]),
        hovertemplate: own.map(({ keys, amounts }) => hover(keys, [`${words(value)} ${figure(amounts[value], kind)}`])),
      };
    });
    return [traces, layout({
      height: series.length > 1 ? 460 : 330, showlegend: series.length > 1, xaxis: axis({ type: "date", showgrid: false }),
      legend: { orientation: "h", yref: "container", y: 0, yanchor: "bottom" },
      margin: { l: 10, r: 16, t: 8, b: series.length > 1 ? 110 : 40 },
      yaxis: axis({ title: { text: title(value) }, rangemode: "tozero", ...tickformat(kind) }),
    })];
  };

  const heat = (card, { rows }) => {
    const value = main(card);
    const kind = kindOf(card, value);
    const downs = [...new Set(rows.map(({ keys }) => keys[0]))].slice(0, 40);
    const acrosses = [...new Set(rows.map(({ keys }) => keys[1]))].sort(card.in_order ? () => 0 : undefined);
    const cells = new Map(rows.map((row) => [JSON.stringify(row.keys.slice(0, 2)), row]));
    const grid = downs.map((down) => acrosses.map((across) => cells.get(JSON.stringify([down, across]))));
    const unsure = ({ amounts }) => card.interval
      && !(amounts[`${value}_ci_low`] > 0 || amounts[`${value}_ci_high`] < 0);
    const signed = rows.some(({ amounts }) => amounts[value] < 0);
    const largest = Math.max(1e-9, ...rows.map(({ amounts }) => Math.abs(amounts[value] ?? 0)));
    const trace = {
      type: "heatmap", x: acrosses.map((_, place) => place), y: downs.map((_, place) => place),
      z: grid.map((line) => line.map((row) => row?.amounts[value] ?? null)),
      text: grid.map((line) => line.map((row) => {
        const amount = row?.amounts[value];
        if (amount === null || amount === undefined) return "";
        return (kind === "percent" ? share : plain).format(Math.abs(amount) < 100 ? amount : Math.round(amount))
          + (unsure(row) ? " n.s." : "");
      })),
      texttemplate: "%{text}", textfont: { size: 11 },
      hovertemplate: grid.map((line) => line.map((row) => row ? hover(row.keys.slice(0, 2), [
        `${words(value)} ${figure(row.amounts[value], kind)}`,
        ...card.shown.map((name) => `${words(name)} ${figure(row.amounts[name], kindOf(card, name))}`),
      ]) : "<extra></extra>")),
      zmin: signed ? -largest : 0, zmax: largest, showscale: false, xgap: 1, ygap: 1, hoverongaps: false,
      colorscale: signed
        ? [[0, colour("--minus")], [0.5, colour("--card")], [1, colour("--plus")]]
        : [[0, colour("--low")], [1, colour("--plus")]],
    };
    return [[trace], layout({
      height: 110 + 26 * downs.length, xaxis: names(acrosses, { side: "top" }),
      yaxis: names(downs, { range: [downs.length - 0.5, -0.5] }),
      margin: { l: 10, r: 16, t: 40, b: 10 },
    }), Math.max(320, 150 + 64 * acrosses.length)];
  };

  const funnel = (card, { rows }) => [[{
    type: "bar", orientation: "h", marker: { color: colour("--accent") },
    x: rows.map(({ amounts }) => amounts.users), y: rows.map((_, place) => place),
    text: rows.map(({ amounts }) => `${whole.format(amounts.users)} (${amounts.of_first === null ? "unknown" : share.format(amounts.of_first)})`),
    textposition: "auto",
    hovertemplate: rows.map(({ keys, amounts }) => hover(keys, [
      `people ${whole.format(amounts.users)}`,
      `of the step before ${amounts.step_rate === null ? "unknown" : share.format(amounts.step_rate)}`,
    ])),
  }], layout({
    height: 80 + 44 * rows.length, yaxis: names(rows.map(({ keys }) => keys[0]), { range: [rows.length - 0.4, -0.6] }),
    xaxis: axis({ title: { text: "People" }, rangemode: "tozero", separatethousands: true }),
  })];

  const pairs = (card, { rows }) => {
    const shown = rows.slice(0, SHOWN);
    const kind = kindOf(card, main(card));
    return [[["one", state.attribution_model], ["other", state.compared[card.name]]].map(([key, model], at) => ({
      type: "bar", orientation: "h", name: label(words(model)), marker: { color: COLOURS[at] },
      x: shown.map(({ amounts }) => amounts[key]), y: shown.map((_, place) => place),
      hovertemplate: shown.map(({ keys, amounts }) => hover([...keys, words(model)], [
        figure(amounts[key], kind),
        `change ${amounts.change === null ? "unknown" : share.format(amounts.change)}`,
      ])),
    })), layout({
      height: 130 + 46 * shown.length, showlegend: true,
      legend: { orientation: "h", yref: "container", y: 1, yanchor: "top" },
      margin: { l: 10, r: 16, t: 36, b: 40 },
      yaxis: names(shown.map(({ keys }) => keys[0]), { range: [shown.length - 0.4, -0.6] }),
      xaxis: axis({ title: { text: title(main(card)) }, rangemode: "tozero", ...tickformat(kind) }),
    })];
  };

  const sankey = (card, { rows }) => {
    const nodes = new Map();
    const ENDS = ["later touches", "converted", "not converted"];
    const node = (step, channel) => {
      const key = ENDS.includes(channel) ? channel : `${step}. ${channel}`;
      if (!nodes.has(key)) nodes.set(key, nodes.size);
      return nodes.get(key);
    };
    const links = rows.map(({ keys: [step, from, to], amounts }) => ({
      source: node(Number(step), from), target: node(Number(step) + 1, to), value: amounts.journeys,
    }));
    const known = [...nodes.keys()];
    const tint = (key) => key === "converted" ? "#009e73" : key === "not converted" ? "#8a929c"
      : COLOURS[[...new Set(known.map((name) => name.slice(3)))].indexOf(key.slice(3)) % COLOURS.length];
    return [[{
      type: "sankey", arrangement: "snap",
      node: { label: known.map((key) => label(key)), color: known.map(tint), pad: 12, thickness: 14, line: { width: 0 } },
      link: {
        source: links.map(({ source }) => source), target: links.map(({ target }) => target),
        value: links.map(({ value }) => value), color: "rgba(128,140,155,0.35)",
      },
      textfont: { color: colour("--text"), size: 12 },
    }], layout({ height: 540, margin: { l: 8, r: 8, t: 8, b: 8 } }), 720];
  };

  const DRAW = { bar: bars, column: columns, line: lines, heat, funnel, compare: pairs, sankey };

  const draw = (card) => {
    const chart = document.querySelector(`#card-${card.name} .chart`);
    const shown = views.get(card.name);
    Plotly.purge(chart);
    chart.replaceChildren();
    chart.hidden = card.chart === "rows" || !shown.table.length;
    if (chart.hidden) return;
    const [traces, laid, width = 0] = DRAW[card.chart](card, shown);
    chart.style.minWidth = `${width}px`;
    Plotly.newPlot(chart, traces, laid, { displayModeBar: false, responsive: true });
  };

  const views = new Map();
  const refresh = (card) => {
    const article = document.getElementById(`card-${card.name}`);
    const shown = view(card);
    views.set(card.name, shown);
    const dataset = datasets[card.dataset];
    const said = article.querySelector(".sentence");
    said.classList.toggle("missing", !shown.table.length);
    said.textContent = shown.table.length ? sentence(card, shown)
      : dataset.rows ? "Nothing matches this choice." : dataset.missing;
    article.querySelector(".chart").setAttribute("aria-label", `Chart. ${said.textContent}`);
    article.querySelector("details").hidden = !shown.table.length;
    article.querySelector(".choices").hidden = !dataset.rows;
    const table = article.querySelector("table");
    const head = element("tr");
    shown.header.forEach((name, place) => head.append(
      element("th", { scope: "col", ...(shown.kinds[place] ? { class: "figure" } : {}) }, title(name)),
    ));
    const body = element("tbody");
    for (const row of shown.table) {
      const line = element("tr");
      row.forEach((value, place) => line.append(shown.kinds[place]
        ? element("td", { class: "figure", "data-value": value ?? "" }, figure(value, shown.kinds[place]))
        : element("td", { dir: "auto" }, value)));
      body.append(line);
    }
    const top = element("thead");
    top.append(head);
    table.replaceChildren(element("caption", { class: "hidden" }, card.title), top, body);
    if (drawn.has(card.name)) draw(card);
  };

  const csv = (card) => {
    const { header, table } = views.get(card.name);
    // A spreadsheet would run a text that begins like a formula.
    const cell = (value) => {
      if (typeof value === "number") return String(value);
      const text = /^[=+\-@\t\r]/.test(value ?? "") ? `'${value}` : value ?? "";
      return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
    };
    return [header, ...table].map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
  };

  const choice = (text, options, chosen, change) => {
    const wrap = element("label", {}, text);
    const select = element("select");
    for (const [value, shown] of options) select.append(new Option(cut(shown, 60), value));
    select.value = chosen;
    select.addEventListener("change", () => change(select.value));
    wrap.append(select);
    return wrap;
  };
  const all = () => {
    cards.forEach(refresh);
    document.getElementById("status").textContent = "The charts and tables follow your choice.";
  };
  const pick = (name, options) => options.includes(PREFERRED[name]) ? PREFERRED[name] : options[0];

  // Filters over everything, then those of single cards.
  const form = document.getElementById("filters");
  form.addEventListener("submit", (event) => event.preventDefault());
  const byRevenue = () => {
    const totals = new Map();
    const { rows, columns: { conversion_type: type, conversions, revenue } } = datasets.daily;
    for (let place = 0; place < rows; place += 1) {
      const name = type.values[type.codes[place]];
      const [money_, count] = totals.get(name) ?? [0, 0];
      totals.set(name, [money_ + revenue.numbers[place], count + conversions.numbers[place]]);
    }
    return [...totals].sort(([, a], [, b]) => b[0] - a[0] || b[1] - a[1]).map(([name]) => name);
  };
  for (const [name, text] of Object.entries(EVERYWHERE)) {
    const options = name === "conversion_type"
      ? [...new Set([...byRevenue(), ...everyValue(name)])] : everyValue(name).sort();
    if (!options.length) continue;
    state[name] = pick(name, options);
    form.append(choice(text, options.map((value) => [value, words(value)]), state[name],
      (value) => { state[name] = value; all(); }));
  }
  form.append(choice("Value", Object.entries(VALUES), state.value, (value) => { state.value = value; all(); }));
  const months = [...new Set(Object.values(datasets).flatMap((dataset) => {
    const column = monthsColumn(dataset);
    return column ? valuesOf(dataset, column).map((day) => day.slice(0, 7)) : [];
  }))].sort();
  for (const [name, text] of [["from", "From month"], ["to", "To month"]]) {
    form.append(choice(text, [["", "all"], ...months.map((month) => [month, month])], "",
      (value) => { state[name] = value; all(); }));
  }
  for (const card of cards) {
    const dataset = datasets[card.dataset];
    const choices = document.querySelector(`#card-${card.name} .choices`);
    state.here[card.name] = {};
    for (const [name, text] of Object.entries(HERE)) {
      const options = valuesOf(dataset, name);
      if (!options.length || card.chart === "rows") continue;
      state.here[card.name][name] = pick(name, options);
      choices.append(choice(text, options.map((value) => [value, words(value)]), state.here[card.name][name],
        (value) => { state.here[card.name][name] = value; refresh(card); }));
    }
    if (card.chart === "compare") {
      const options = valuesOf(dataset, "attribution_model").toSorted();
      state.compared[card.name] = ["last_touch", ...options]
        .find((value) => options.includes(value) && value !== state.attribution_model) ?? options[0];
      choices.append(choice("Against", options.map((value) => [value, words(value)]), state.compared[card.name],
        (value) => { state.compared[card.name] = value; refresh(card); }));
    }
    document.querySelector(`#card-${card.name} .download`).addEventListener("click", () => {
      const link = element("a", {
        download: `${card.name}.csv`,
        href: URL.createObjectURL(new Blob(["\ufeff", csv(card)], { type: "text/csv;charset=utf-8" })),
      });
      link.click();
      URL.revokeObjectURL(link.href);
    });
  }

  // Light or dark: as the system has it, until the reader says otherwise.
  const button = document.getElementById("theme");
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const paint = (theme) => {
    document.documentElement.dataset.theme = theme;
    button.textContent = theme === "dark" ? "Light" : "Dark";
    button.setAttribute("aria-label", `Switch to ${theme === "dark" ? "light" : "dark"} colours`);
    cards.filter((card) => drawn.has(card.name)).forEach(draw);
  };
  const drawn = new Set();
  paint(system.matches ? "dark" : "light");
  system.addEventListener("change", () => paint(system.matches ? "dark" : "light"));
  button.addEventListener("click", () => {
    paint(document.documentElement.dataset.theme === "dark" ? "light" : "dark");
  });

  cards.forEach(refresh);
  // A chart is drawn when it comes near, and all of them before the page is printed.
  const show = (card) => {
    if (drawn.has(card.name)) return;
    drawn.add(card.name);
    draw(card);
  };
  const byName = new Map(cards.map((card) => [card.name, card]));
  const near = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (isIntersecting) show(byName.get(target.dataset.card));
    }
  }, { rootMargin: "600px" });
  document.querySelectorAll("article").forEach((article) => near.observe(article));
  let before = null;
  window.addEventListener("beforeprint", () => {
    before = document.documentElement.dataset.theme;
    paint("light");
    cards.forEach(show);
  });
  window.addEventListener("afterprint", () => paint(before));
  document.documentElement.dataset.ready = "yes";
  window.report = { all: () => cards.forEach(show), csv: (name) => csv(byName.get(name)) };
})();
