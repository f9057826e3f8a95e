"use strict";
// Draws the cards. All text reaches the page as text nodes, or escaped where Plotly reads markup.
(async () => {
    const packed = Uint8Array.from(atob(document.getElementById("contents").textContent), c => c.charCodeAt(0));
    const unpacked = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    const {settings, datasets, cards} = JSON.parse(await new Response(unpacked).text());
    const root = document.documentElement;
    root.classList.add("js");

    // Sums over several of these would count the same conversion or person more than once.
    const ONE = new Set(["attribution_model", "attribution_scope", "conversion_type", "segment_family",
        "period", "path_kind", "date_basis", "funnel"]);
    const RANGES = new Set(["month"]);
    // What stands for no element, or for many: never the subject of a sentence if there are others.
    const RESIDUAL = new Set(["(other)", "(none)", "(no touch)", "(small)", "none", "unattributed", "unclassified"]);
    const PREFERRED = {
        attribution_model: settings.default_attribution_model, attribution_scope: "all",
        period: "last_90_days", segment_family: "rfm", path_kind: "collapsed",
        date_basis: "conversion", compared_model: "first_touch",
    };
    const LABELS = {
        attribution_model: "Model", attribution_scope: "Scope", conversion_type: "Conversion type",
        segment_family: "Segment family", compared_model: "Compared with", date_basis: "Date of",
    };
    // Of a table shown as it is, the first of these columns is counted in its sentence.
    const STATES = ["status", "severity", "is_significant", "change_type", "is_published", "is_champion", "test"];
    const COLOURS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#b5a900",
        "#8a6fd1", "#7a8794", "#a05a2c", "#2ca6a4", "#d6456b", "#5c8a00", "#4b63c9", "#c49bd9",
        "#8f7a4a", "#3d7f6f"];
    const SHOWN_ROWS = 300;
    const BARS = 20;

    const label = name => LABELS[name]
        || (name === "default_model" && settings.default_attribution_model)
        || (name.charAt(0).toUpperCase() + name.slice(1)).replaceAll("_", " ")
            .replace(" ci low", ", low").replace(" ci high", ", high").replace(/clv/i, "lifetime value").replace(/^(auc|roas|cpa|psi|ari|f1)$/i, s => s.toUpperCase());
    const escaped = text => String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;")
        .replaceAll(">", "&gt;");
    const style = name => getComputedStyle(root).getPropertyValue(name).trim();
    const narrow = () => window.matchMedia("(max-width: 600px)").matches;

    const formats = {};
    function written(value, kind) {
        if (value === null || value === undefined || Number.isNaN(value)) return "unknown";
        const digits = {count: 0, money: 2, percent: 1, number: Math.abs(value) < 1 ? 3 : 1}[kind];
        const key = `${kind}${digits}`;
        formats[key] = formats[key] || new Intl.NumberFormat("en", {
            minimumFractionDigits: kind === "money" ? 2 : 0, maximumFractionDigits: digits,
        });
        if (kind === "percent") return `${formats[key].format(100 * value)} %`;
        return formats[key].format(value);
    }

    function element(name, attributes = {}, text) {
        const made = document.createElement(name);
        for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
        if (text !== undefined) made.textContent = text;
        return made;
    }

    // Texts of a dataset's column, and the columns that a card can be filtered by.
    const isText = (dataset, name) => name in dataset.columns && !(name in dataset.kinds);
    const textsOf = dataset => Object.keys(dataset.columns).filter(name => isText(dataset, name));
    const kindOf = (card, name) =>
        card.ratios[name] ? card.ratios[name][2] : datasets[card.dataset].kinds[name] || "number";

    function filtersOf(card) {
        if (card.chart === "rows") return [];
        return textsOf(datasets[card.dataset]).filter(
            name => !card.by.includes(name) || RANGES.has(name)
        );
    }

    // ---------------------------------------------------------------- filters
    const chosen = {};  // page -> {column: value, or {from, to}}

    function makeFilters(page, form) {
        const state = chosen[page] = {};
        const own = cards.filter(card => card.page === page);
        const columns = new Map();
        const values = new Set();
        for (const card of own) {
            for (const name of filtersOf(card)) {
                const known = columns.get(name) || {options: new Set(), isSummed: true};
                datasets[card.dataset].columns[name].values.forEach(v => known.options.add(v));
                known.isSummed &&= card.is_summed;
                columns.set(name, known);
            }
            if (card.values.length > 1) card.values.forEach(value => values.add(value));
            if (card.chart === "compare" && datasets[card.dataset].rows) {
                columns.set("compared_model", {
                    options: new Set(datasets[card.dataset].columns.attribution_model.values),
                    isSummed: false,
                });
            }
        }
        const order = [...Object.keys(LABELS), "period", "month"];
        const names = [...columns.keys()].sort((a, b) =>
            (order.indexOf(a) + 1 || 99) - (order.indexOf(b) + 1 || 99) || a.localeCompare(b));
        const add = (key, text, options, value, part) => {
            const select = element("select", {name: part ? `${key}-${part}` : key});
            for (const [option, says] of options) select.append(element("option", {value: option}, says));
            select.value = value;
            const wrap = element("label", {}, text);
            wrap.append(select);
            form.append(wrap);
            select.addEventListener("change", () => {
                if (part) state[key][part] = select.value; else state[key] = select.value;
                drawPage(page);
            });
        };
        for (const name of names) {
            const {options, isSummed} = columns.get(name);
            const list = [...options];
            if (!list.length) continue;
            if (RANGES.has(name)) {
                list.sort();
                state[name] = {from: list[0], to: list[list.length - 1]};
                const pairs = list.map(v => [v, v]);
                add(name, `From ${name}`, pairs, list[0], "from");
                add(name, `To ${name}`, pairs, list[list.length - 1], "to");
                continue;
            }
            list.sort((a, b) => a.localeCompare(b));
            const all = isSummed && !ONE.has(name) && name !== "compared_model";
            if (all) {
                state[name] = null;
                const select = [["", "(all)"], ...list.map(v => [`=${v}`, v])];
                add(name, label(name), select, "");
                continue;
            }
            const wanted = name === "conversion_type" ? mainType(list) : PREFERRED[name];
            state[name] = list.includes(wanted) ? `=${wanted}` : `=${list[0]}`;
            add(name, label(name), list.map(v => [`=${v}`, v]), state[name]);
        }
        if (values.size > 1) {
            state.value = values.values().next().value;
            add("value", "Value", [...values].map(v => [v, label(v)]), state.value);
        }
        form.addEventListener("submit", event => event.preventDefault());
        if (!form.children.length) form.remove();
    }

    // The conversion type with the most revenue, then with the most conversions.
    function mainType(list) {
        const {rows, columns} = datasets.daily;
        const sums = {};
        for (let i = 0; i < rows; i++) {
            const type = columns.conversion_type.values[columns.conversion_type.codes[i]];
            sums[type] = sums[type] || [0, 0];
            sums[type][0] += columns.revenue.numbers[i];
            sums[type][1] += columns.conversions.numbers[i];
        }
        return [...list].sort((a, b) => {
            const [x, y] = [sums[a] || [0, 0], sums[b] || [0, 0]];
            return y[0] - x[0] || y[1] - x[1];
        })[0];
    }

    // ---------------------------------------------------------------- rows
    function matching(card, state, replaced = {}) {
        const {rows, columns} = datasets[card.dataset];
        const tests = [];
        for (const name of filtersOf(card)) {
            const wish = name in replaced ? replaced[name] : state[name];
            const {values, codes} = columns[name];
            if (wish && typeof wish === "object") {
                const good = values.map(v => wish.from <= v && v <= wish.to);
                tests.push(i => good[codes[i]]);
            } else if (wish) {
                const code = values.indexOf(wish.slice(1));
                tests.push(i => codes[i] === code);
            }
        }
        const found = [];
        for (let i = 0; i < rows; i++) if (tests.every(test => test(i))) found.push(i);
        return found;
    }

    // Rows of the table: one per combination of card.by, measures summed, ratios of the sums.
    function grouped(card, indices, by = card.by) {
        const {columns, kinds} = datasets[card.dataset];
        const measures = new Set([...card.values, ...card.shown].filter(name => name in kinds));
        for (const [top, bottom] of Object.values(card.ratios)) measures.add(top).add(bottom);
        const groups = new Map();
        for (const i of indices) {
            const key = by.map(name => columns[name].codes[i]).join(" ");
            let row = groups.get(key);
            if (!row) {
                row = {};
                for (const name of by) row[name] = columns[name].values[columns[name].codes[i]];
                for (const name of measures) row[name] = null;
                groups.set(key, row);
            }
            for (const name of measures) {
                const value = columns[name].numbers[i];
                if (value !== null) row[name] = (row[name] ?? 0) + value;
            }
        }
        const rows = [...groups.values()];
        for (const row of rows) {
            for (const [name, [top, bottom]] of Object.entries(card.ratios)) {
                row[name] = row[bottom] ? row[top] / row[bottom] : null;
            }
        }
        return rows;
    }

    function tableOf(card, state) {
        const dataset = datasets[card.dataset];
        if (card.chart === "rows") {
            const names = Object.keys(dataset.columns);
            const rows = Array.from({length: dataset.rows}, (_, i) => Object.fromEntries(names.map(
                name => [name, dataset.columns[name].numbers
                    ? dataset.columns[name].numbers[i]
                    : dataset.columns[name].values[dataset.columns[name].codes[i]]])));
            return {names, texts: textsOf(dataset), rows, value: null};
        }
        const value = card.values.includes(state.value) ? state.value : card.values[0];
        if (card.chart === "compare") {
            const [a, b] = [state.attribution_model.slice(1), state.compared_model.slice(1)];
            const sides = [state.attribution_model, state.compared_model].map(model => new Map(
                grouped(card, matching(card, state, {attribution_model: model}))
                    .map(row => [row[card.by[0]], row[value]])));
            const keys = [...new Set([...sides[0].keys(), ...sides[1].keys()])];
            const rows = keys.map(key => {
                const [x, y] = sides.map(side => side.get(key) ?? 0);
                return {[card.by[0]]: key, model: x, compared_with: y, percent_change: y ? x / y - 1 : null};
            }).sort((x, y) => y.compared_with - x.compared_with);
            return {names: [card.by[0], "model", "compared_with", "percent_change"],
                texts: [card.by[0]], rows, value, models: [a, b]};
        }
        const rows = grouped(card, matching(card, state));
        if (!card.in_order) {
            const [axis] = card.by;
            rows.sort((x, y) => RESIDUAL.has(x[axis]) - RESIDUAL.has(y[axis])
                || (y[value] ?? -Infinity) - (x[value] ?? -Infinity));
        }
        const numbers = [...new Set([...card.values, ...card.shown, ...Object.keys(card.ratios)])];
        return {names: [...card.by, ...numbers], texts: card.by, rows, value};
    }

    const kindIn = (card, table, name) => {
        if (card.chart !== "compare") return kindOf(card, name);
        return name === "percent_change" ? "percent" : kindOf(card, table.value);
    };
    const headIn = (table, name) => table.models && name === "model" ? table.models[0]
        : table.models && name === "compared_with" ? table.models[1] : label(name);

    // ---------------------------------------------------------------- sentences
    function sentence(card, table) {
        const {rows, value} = table;
        const [first, second] = card.by;
        const say = (row, name = value) => written(row[name], kindIn(card, table, name));
        const name = (row, column = first) => `\u2068${row[column]}\u2069`;
        const what = value ? label(value).toLowerCase() : "";
        const sum = list => list.reduce((total, row) => total + (row[value] || 0), 0);
        const isSum = !(value in card.ratios) && card.is_summed && rows.every(row => !(row[value] < 0));
        const known = rows.filter(row => row[value] !== null && row[value] !== undefined)
            .sort((x, y) => y[value] - x[value]);
        if (card.chart === "sankey") known.sort((x, y) => (x.to_channel === "later touches") - (y.to_channel === "later touches"));
        const named = known.filter(row => !RESIDUAL.has(row[first]) && !RESIDUAL.has(row[second])
            && (value !== "lift" || isSure(row)));
        const sorted = named.length ? named : known;
        const within = row => card.interval && row[`${value}_ci_low`] !== null
            ? ` (95 % interval ${say(row, `${value}_ci_low`)} to ${say(row, `${value}_ci_high`)})` : "";
        if (card.chart === "rows") {
            const all = `${rows.length.toLocaleString("en")} ${rows.length === 1 ? "row" : "rows"}`;
            const state = STATES.find(column => table.texts.includes(column));
            if (!state) return `${all}.`;
            const counts = unique(rows, state).map(one => `${rows.filter(row => row[state] === one).length} ${one}`);
            return `${all}; ${label(state).toLowerCase()}: ${counts.join(", ")}.`;
        }
        if (card.chart === "map") {
            const sizes = unique(rows, second).map(one => [rows.filter(row => row[second] === one).length, one]).sort((x, y) => y[0] - x[0]);
            return `${rows.length.toLocaleString("en")} people in ${sizes.length} clusters; the largest here: \u2068${sizes[0][1]}\u2069 with `
                + `${sizes[0][0].toLocaleString("en")}.`;
        }
        if (card.chart === "compare") {
            const moved = [...rows]
                .sort((x, y) => Math.abs(y.model - y.compared_with) - Math.abs(x.model - x.compared_with))[0];
            if (table.models[0] === table.models[1]) return "Choose two different models to compare them.";
            if (!moved || Math.abs(moved.model - moved.compared_with) < 1e-6) {
                return `${table.models[0]} and ${table.models[1]} give every ${label(first).toLowerCase()} the same.`;
            }
            if (moved.percent_change === null) {
                return `${table.models[0]} gives ${name(moved)} ${say(moved, "model")} ${what}, ${table.models[1]} none.`;
            }
            const change = written(Math.abs(moved.percent_change), "percent");
            return `${table.models[0]} gives ${name(moved)} ${change} ${moved.percent_change < 0 ? "less" : "more"} `
                + `${what} than ${table.models[1]}: ${say(moved, "model")} against ${say(moved, "compared_with")}.`;
        }
        if (!sorted.length) return `No ${what} is known for this choice.`;
        const top = sorted[0];
        if (card.chart === "line" && !second) {
            return `${written(sum(rows), kindOf(card, value))} ${what} from ${rows[0][first]} to `
                + `${rows[rows.length - 1][first]}; the most on ${top[first]}: ${say(top)}.`;
        }
        if (card.chart === "line") {
            const last = rows[rows.length - 1][first];
            const now = sorted.filter(row => row[first] === last);
            return `On ${last}, ${name(now[0], second)} is the largest with ${say(now[0])} of `
                + `${written(sum(now), kindOf(card, value))} ${what}.`;
        }
        if (card.chart === "heat") {
            let says = `${isSum ? "The most" : "The highest"} ${what}: ${name(top)} and ${name(top, second)} with ${say(top)}${within(top)}`;
            const low = sorted[sorted.length - 1];
            if (low !== top) says += `; the ${isSum ? "least" : "lowest"}: ${name(low)} and ${name(low, second)} with ${say(low)}${within(low)}`;
            if (value !== "lift") return `${says}.`;
            const sure = rows.filter(isSure).length;
            if (!sure) return `None of the ${rows.length} differences is beyond chance.`;
            return `${says}. ${sure} of ${rows.length} differences are beyond chance.`;
        }
        if (card.chart === "funnel") {
            const steps = rows;
            const [from, to] = [steps[0], steps[steps.length - 1]];
            let lost = null;
            steps.slice(1).forEach((row, i) => {
                const gone = steps[i][value] - row[value];
                if (lost === null || gone > lost[1]) lost = [row, gone];
            });
            return `Of ${say(from)} people, ${say(to)} (${written(to[value] / from[value], "percent")}) reach `
                + `${name(to)}` + (lost ? `; most are lost before ${name(lost[0])}: ${written(lost[1], "count")}.` : ".");
        }
        if (card.chart === "sankey") {
            return `The most frequent move: from ${name(top, "from_channel")} to ${name(top, "to_channel")}, `
                + `${say(top)} journeys at touch ${top.step}.`;
        }
        if (card.chart === "column" && second) {
            const last = rows[rows.length - 1][first];
            return `Latest, ${name(rows[rows.length - 1])}: `
                + `${rows.filter(row => row[first] === last).map(row => `${say(row)} ${row[second]}`).join(", ")}.`;
        }
        if (second) {
            const spread = new Map();
            for (const row of sorted) spread.set(row[first], [...(spread.get(row[first]) || []), row]);
            const [key, list] = [...spread].sort(([, x], [, y]) =>
                (y[0][value] - y[y.length - 1][value]) - (x[0][value] - x[x.length - 1][value]))[0];
            const [high, low] = [list[0], list[list.length - 1]];
            return `The widest range has \u2068${key}\u2069: from ${say(low)} (${name(low, second)}) to ${say(high)} `
                + `(${name(high, second)}) ${what}.`;
        }
        if (card.chart === "column" && !second) {
            const next = sorted[1];
            const part = isSum && sum(rows) ? ` of ${written(sum(rows), kindOf(card, value))}` : "";
            return `The most ${what} fall to ${label(first).toLowerCase()} ${name(top)}: ${say(top)}${part}`
                + (next ? `; then ${name(next)} with ${say(next)}.` : ".");
        }
        const next = sorted[1];
        const part = isSum && sum(rows) ? `, ${written(top[value] / sum(rows), "percent")} of ${written(sum(rows), kindOf(card, value))}` : "";
        return `${isSum || !rows.length ? `${name(top)} has the most ${what}` : `The highest ${what}: ${name(top)}`}${isSum ? ": " : " with "}${say(top)}${within(top)}${part}`
            + (next ? `; then ${name(next)} with ${say(next)}${within(next)}.` : ".");
    }

    const isSure = row => row.lift_ci_low !== null && (row.lift_ci_low > 0 || row.lift_ci_high < 0);

    // ---------------------------------------------------------------- charts
    // Short and unique texts for an axis; isolated, so that right-to-left names stay together.
    function axisTexts(values) {
        const size = narrow() ? 14 : 32;
        return values.map(text => {
            const letters = [...String(text)];
            // Names often differ in their last letters alone.
            const cut = letters.length <= size ? String(text)
                : `${letters.slice(0, Math.ceil(size / 2) - 1).join("")}\u2026${letters.slice(-Math.floor(size / 2)).join("")}`;
            return escaped(`\u2068${cut}\u2069`);
        });
    }

    function axis(values, more = {}) {
        return {type: "linear", tickmode: "array", tickvals: values.map((_, i) => i), ticktext: axisTexts(values),
            automargin: true, gridcolor: style("--grid"), zeroline: false, fixedrange: true, ...more};
    }

    const numeric = (kind, title) => ({
        automargin: true, gridcolor: style("--grid"), zerolinecolor: style("--line"), fixedrange: true,
        title: {text: escaped(title), standoff: 8}, tickformat: kind === "percent" ? ".0%" : "~s", nticks: narrow() ? 4 : 8,
    });

    const unique = (rows, name) => [...new Set(rows.map(row => row[name]))];

    function hover(card, table, row, names = table.names) {
        return names.map(name => `${escaped(headIn(table, name))}: ${table.texts.includes(name)
            ? escaped(String(row[name]).slice(0, 120)) : written(row[name], kindIn(card, table, name))}`).join("<br>");
    }

    function figure(card, table) {
        const {rows, value} = table;
        const [first, second] = card.by;
        const kind = value ? kindOf(card, value) : "number";
        const title = value ? label(value) + (kind === "money" ? `, ${settings.reporting_currency}` : "") : "";
        const hovered = {hovertemplate: "%{customdata}<extra></extra>"};
        if (card.chart === "compare") {
            const shown = rows.slice(0, BARS).reverse();
            const names = shown.map(row => row[first]);
            return {data: ["model", "compared_with"].map((side, i) => ({
                type: "bar", orientation: "h", name: escaped(table.models[i]), y: names.map((_, j) => j),
                x: shown.map(row => row[side]), marker: {color: COLOURS[i]},
                customdata: shown.map(row => hover(card, table, row)), ...hovered,
            })), layout: {yaxis: axis(names), xaxis: numeric(kind, title), height: 120 + 42 * names.length}};
        }
        if (card.chart === "bar") {
            const names = unique(rows, first).slice(0, BARS).reverse();
            const series = second ? unique(rows, second).sort() : [null];
            const data = series.map((one, i) => {
                const own = rows.filter(row => names.includes(row[first]) && (!second || row[second] === one));
                return {
                    type: "bar", orientation: "h", name: one === null ? title : axisTexts([one])[0],
                    y: own.map(row => names.indexOf(row[first])), x: own.map(row => row[value]),
                    marker: {color: COLOURS[i % COLOURS.length]},
                    customdata: own.map(row => hover(card, table, row)), ...hovered,
                    ...(card.interval ? {error_x: {
                        type: "data", symmetric: false, color: style("--text"),
                        array: own.map(row => (row[`${value}_ci_high`] ?? row[value]) - row[value]),
                        arrayminus: own.map(row => row[value] - (row[`${value}_ci_low`] ?? row[value])),
                    }} : {}),
                };
            });
            return {data, names, layout: {yaxis: axis(names), xaxis: numeric(kind, title), showlegend: Boolean(second),
                height: 110 + names.length * (second ? Math.max(30, 9 * series.length) : 30)}};
        }
        if (card.chart === "dots") {
            const names = unique(rows, first).slice(0, BARS).reverse();
            const signs = ["circle", "square", "diamond", "cross", "x", "triangle-up"];
            return {data: unique(rows, second).sort().map((one, i) => {
                const own = rows.filter(row => names.includes(row[first]) && row[second] === one);
                return {type: "scatter", mode: "markers", name: axisTexts([one])[0],
                    y: own.map(row => names.indexOf(row[first])), x: own.map(row => row[value]),
                    marker: {color: COLOURS[i % COLOURS.length], symbol: signs[i % signs.length], size: 10},
                    customdata: own.map(row => hover(card, table, row)), ...hovered};
            }), layout: {yaxis: axis(names), xaxis: {...numeric(kind, title), side: "top", rangemode: "tozero"}, showlegend: true,
                legend: {orientation: "h", y: -0.02, yanchor: "top"}, height: 260 + 34 * names.length}};
        }
        if (card.chart === "map") {
            const signs = ["circle", "square", "diamond", "cross", "x", "triangle-up"];
            const bare = {showticklabels: false, zeroline: false, gridcolor: style("--grid"), fixedrange: true};
            return {data: unique(rows, second).sort().map((one, i) => {
                const own = rows.filter(row => row[second] === one);
                return {type: "scatter", mode: "markers", name: axisTexts([one])[0], x: own.map(row => row.across), y: own.map(row => row.up),
                    marker: {color: COLOURS[i % COLOURS.length], symbol: signs[i % signs.length], size: 6},
                    customdata: own.map(row => escaped(row[second])), ...hovered};
            }), layout: {xaxis: bare, yaxis: {...bare, scaleanchor: "x"}, height: 520, showlegend: true}};
        }
        if (card.chart === "column") {
            const names = unique(rows, first);
            const series = second ? unique(rows, second) : [null];
            return {data: series.map((one, i) => {
                const own = rows.filter(row => !second || row[second] === one);
                return {type: "bar", name: one === null ? title : axisTexts([one])[0], x: own.map(row => names.indexOf(row[first])),
                    y: own.map(row => row[value]), marker: {color: COLOURS[i]},
                    customdata: own.map(row => hover(card, table, row)), ...hovered};
            }), layout: {barmode: "stack", xaxis: axis(names), yaxis: numeric(kind, title), height: 340, showlegend: Boolean(second)}};
        }
        if (card.chart === "line") {
            const series = second ? unique(rows, second).slice(0, COLOURS.length) : [null];
            return {data: series.map((one, i) => {
                const own = rows.filter(row => !second || row[second] === one);
                return {type: "scatter", mode: second ? "lines+markers" : "lines", name: one === null ? title : axisTexts([one])[0],
                    x: own.map(row => row[first]), y: own.map(row => row[value]), line: {color: COLOURS[i]},
                    customdata: own.map(row => hover(card, table, row)), ...hovered};
            }), layout: {xaxis: {type: "date", gridcolor: style("--grid"), automargin: true, fixedrange: true, nticks: narrow() ? 4 : 10},
                yaxis: {...numeric(kind, title), rangemode: "tozero"}, height: 360, showlegend: Boolean(second)}};
        }
        if (card.chart === "heat") {
            const across = unique(rows, second);
            if (card.in_order) across.sort();
            const down = unique(rows, first).slice(0, 40);
            const place = new Map(rows.map(row => [JSON.stringify([row[first], row[second]]), row]));
            const cells = down.map(y => across.map(x => place.get(JSON.stringify([y, x]))));
            const compact = new Intl.NumberFormat("en", {notation: "compact", maximumFractionDigits: 1});
            const text = cells.map(line => line.map(row => {
                if (!row || row[value] === null) return "";
                const says = kind === "percent" ? written(row[value], kind) : compact.format(row[value]);
                return value === "lift" && !isSure(row) ? `${says} n.s.` : says;
            }));
            const dark = root.dataset.theme === "dark";
            const both = value === "lift";
            const scale = both ? [[0, "#b35806"], [0.5, dark ? "#2c3541" : "#f7f7f7"], [1, "#2166ac"]]
                : [[0, dark ? "#1f2a36" : "#f0f5fa"], [1, dark ? "#3d8fdb" : "#4a94d6"]];
            const known = rows.map(row => Math.abs(row[value] ?? 0));
            const limit = both ? Math.min(2, Math.max(0.01, ...known)) : undefined;
            return {data: [{
                type: "heatmap", x: across.map((_, i) => i), y: down.map((_, i) => i),
                z: cells.map(line => line.map(row => row ? row[value] : null)),
                text, texttemplate: narrow() && across.length > 4 ? "" : "%{text}", colorscale: scale, xgap: 2, ygap: 2, showscale: !narrow(),
                ...(both ? {zmin: -limit, zmax: limit} : {}),
                colorbar: {tickformat: kind === "percent" ? ".0%" : "~s", outlinewidth: 0},
                customdata: cells.map(line => line.map(row => row ? hover(card, table, row) : "no rows")), ...hovered,
            }], layout: {xaxis: axis(across, {side: "top", tickangle: across.length > 4 || narrow() ? -35 : 0, showgrid: false}),
                yaxis: axis(down, {autorange: "reversed", showgrid: false}), height: 170 + 30 * down.length}};
        }
        if (card.chart === "funnel") {
            const names = rows.map(row => row[first]);
            return {data: [{type: "funnel", y: names.map((_, i) => i), x: rows.map(row => row[value]), marker: {color: COLOURS},
                textinfo: "value+percent initial", customdata: rows.map(row => hover(card, table, row)), ...hovered}],
                layout: {yaxis: axis(names, {autorange: "reversed"}), height: 110 + 60 * names.length}};
        }
        if (card.chart === "sankey") {
            const nodes = [];
            const at = (step, channel) => {
                const ends = ["converted", "not converted", "later touches"].includes(channel);
                const key = ends ? `end ${channel}` : `${step} ${channel}`;
                let found = nodes.findIndex(node => node.key === key);
                if (found < 0) found = nodes.push({key, channel}) - 1;
                return found;
            };
            const channels = unique([...rows.map(row => ({c: row.from_channel})), ...rows.map(row => ({c: row.to_channel}))], "c").sort();
            const links = rows.map(row => ({
                source: at(Number(row.step), row.from_channel), target: at(Number(row.step) + 1, row.to_channel), row,
            }));
            const colour = channel => COLOURS[channels.indexOf(channel) % COLOURS.length];
            return {data: [{
                type: "sankey", arrangement: "snap",
                node: {label: axisTexts(nodes.map(node => node.channel)), color: nodes.map(node => colour(node.channel)), pad: 12, thickness: 14,
                    hovertemplate: "%{label}: %{value:,}<extra></extra>"},
                link: {source: links.map(l => l.source), target: links.map(l => l.target), value: links.map(l => l.row[value]),
                    color: links.map(l => `${colour(l.row.from_channel)}66`), customdata: links.map(l => hover(card, table, l.row)), ...hovered},
            }], layout: {height: 480}};
        }
        return null;
    }

    // ---------------------------------------------------------------- cards
    const tables = {};

    function drawCard(card) {
        const dataset = datasets[card.dataset];
        const box = document.getElementById(`card-${card.name}`);
        const [says, chart, details] = [box.querySelector(".sentence"), box.querySelector(".chart"), box.querySelector("details")];
        const table = dataset.rows ? tableOf(card, chosen[card.page]) : {rows: [], names: []};
        tables[card.name] = table;
        if (!table.rows.length) {
            says.textContent = dataset.rows ? "There is nothing for this choice." : dataset.missing;
            says.classList.add("missing");
            Plotly.purge(chart);
            chart.replaceChildren();
            chart.hidden = details.hidden = true;
            return;
        }
        says.classList.remove("missing");
        says.textContent = sentence(card, table);
        chart.hidden = card.chart === "rows";
        details.hidden = false;
        details.open = details.open || card.chart === "rows";
        fill(card, table, box);
        const drawn = figure(card, table);
        if (!drawn) return;
        const layout = {
            autosize: true, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
            font: {color: style("--text"), size: 12, family: getComputedStyle(document.body).fontFamily},
            margin: {l: 10, r: 14, t: 20, b: 30}, barmode: "group", dragmode: false, bargap: 0.25,
            legend: {orientation: "h", y: 1.02, yanchor: "bottom", traceorder: "normal"}, hoverlabel: {align: "left"}, ...drawn.layout,
        };
        chart.setAttribute("role", "img");
        chart.setAttribute("aria-label", `Chart: ${card.title}. ${says.textContent}`);
        Plotly.react(chart, drawn.data, layout, {displayModeBar: false, responsive: true});
        drill(card, chart, drawn.names);
    }

    // A bar of what the page can be filtered by is a way to choose it, and to choose all again.
    function drill(card, chart, names) {
        const choice = names && document.querySelector(`#${CSS.escape(card.page)} .filters select[name="${card.by[0]}"]`);
        chart.classList.toggle("drills", Boolean(choice));
        if (!choice || !chart.removeAllListeners) return;
        chart.removeAllListeners("plotly_click");
        chart.on("plotly_click", ({points}) => {
            const wish = `=${names[points[0].y]}`;
            choice.value = choice.value === wish ? "" : wish;
            choice.dispatchEvent(new Event("change"));
        });
    }

    function fill(card, table, box) {
        const grid = box.querySelector("table");
        const head = element("tr");
        const isText = name => table.texts.includes(name);
        for (const name of table.names) {
            head.append(element("th", {scope: "col", ...(isText(name) ? {} : {class: "number"})}, headIn(table, name)));
        }
        const body = element("tbody");
        for (const row of table.rows.slice(0, SHOWN_ROWS)) {
            const line = element("tr");
            for (const name of table.names) {
                line.append(isText(name) ? element("td", {dir: "auto"}, row[name])
                    : element("td", {class: "number"}, written(row[name], kindIn(card, table, name))));
            }
            body.append(line);
        }
        const top = element("thead");
        top.append(head);
        grid.replaceChildren(element("caption", {hidden: ""}, card.title), top, body);
        const more = table.rows.length - SHOWN_ROWS;
        box.querySelector(".count").textContent = `${table.rows.length.toLocaleString("en")} rows`
            + (more > 0 ? `, of which the first ${SHOWN_ROWS} are shown; the CSV has all` : "");
    }

    // A cell that a spreadsheet would take for a formula gets an apostrophe.
    function csv(table) {
        const cell = value => {
            if (value === null || value === undefined) return "";
            if (typeof value === "number") return String(value);
            const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
            return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
        };
        const lines = [table.names.map(name => cell(headIn(table, name))), ...table.rows.map(row => table.names.map(name => cell(row[name])))];
        return lines.map(line => line.join(",")).join("\r\n") + "\r\n";
    }

    function download(card) {
        const link = element("a", {download: `${card.name}.csv`});
        link.href = URL.createObjectURL(new Blob(["\ufeff", csv(tables[card.name])], {type: "text/csv"}));
        link.click();
        URL.revokeObjectURL(link.href);
    }

    function drawPage(page) {
        for (const card of cards) if (card.page === page) drawCard(card);
        drawnPages.add(page);
    }

    // ---------------------------------------------------------------- pages and themes
    const pages = [...document.querySelectorAll("section.page")].map(section => section.id);
    const drawnPages = new Set();

    function open() {
        const wish = location.hash.slice(1);
        const page = pages.includes(wish) ? wish : pages[0];
        for (const one of pages) document.getElementById(one).hidden = one !== page;
        for (const link of document.querySelectorAll("nav a")) {
            if (link.hash === `#${page}`) link.setAttribute("aria-current", "page"); else link.removeAttribute("aria-current");
        }
        document.title = `Apportion: ${document.getElementById(`${page}-title`).textContent}`;
        if (!drawnPages.has(page)) drawPage(page);
        window.scrollTo(0, 0);
    }

    function setTheme(theme) {
        root.dataset.theme = theme;
        document.getElementById("theme").textContent = theme === "dark" ? "Light theme" : "Dark theme";
        const again = [...drawnPages];
        drawnPages.clear();
        for (const page of again) if (!document.getElementById(page).hidden) drawPage(page);
    }

    function fillTotals() {
        const list = document.getElementById("totals");
        const {rows, columns} = datasets.daily;
        const sums = new Map();
        for (let i = 0; i < rows; i++) {
            const type = columns.conversion_type.values[columns.conversion_type.codes[i]];
            const known = sums.get(type) || [0, 0];
            sums.set(type, [known[0] + columns.conversions.numbers[i], known[1] + columns.revenue.numbers[i]]);
        }
        const add = (name, value) => {
            const box = element("div");
            box.append(element("dt", {dir: "auto"}, name), element("dd", {}, value));
            list.append(box);
        };
        const people = datasets.lifecycle.rows
            ? datasets.lifecycle.columns.people.numbers.reduce((a, b) => a + b, 0) : 0;
        add("People", written(people, "count"));
        for (const [type, [conversions, revenue]] of [...sums].sort((a, b) => b[1][1] - a[1][1] || b[1][0] - a[1][0])) {
            add(`${type} conversions`, written(conversions, "count"));
            if (revenue) add(`${type} revenue`, written(revenue, "money"));
        }
    }

    for (const page of pages) makeFilters(page, document.querySelector(`#${CSS.escape(page)} .filters`));
    for (const card of cards) {
        document.querySelector(`#card-${CSS.escape(card.name)} .download`).addEventListener("click", () => download(card));
    }
    fillTotals();
    const system = window.matchMedia("(prefers-color-scheme: dark)");
    document.getElementById("theme").addEventListener("click", () => setTheme(root.dataset.theme === "dark" ? "light" : "dark"));
    system.addEventListener("change", () => setTheme(system.matches ? "dark" : "light"));
    setTheme(system.matches ? "dark" : "light");
    window.addEventListener("hashchange", open);
    // On paper: every page, light, with what the filters chose in words, since nobody can look it up there.
    window.addEventListener("beforeprint", () => {
        root.dataset.theme = "light";
        for (const page of pages) {
            const section = document.getElementById(page);
            section.hidden = false;
            const labels = [...section.querySelectorAll(".filters label")];
            const said = labels.map(label => `${label.firstChild.textContent}: ${label.querySelector("select").selectedOptions[0].textContent}`);
            const chosenHere = section.querySelector(".chosen");
            chosenHere.textContent = said.join(" \u00b7 ");
            chosenHere.hidden = !said.length;
        }
        pages.forEach(drawPage);
    });
    window.addEventListener("afterprint", () => {
        for (const one of document.querySelectorAll(".chosen")) one.hidden = true;
        setTheme(system.matches ? "dark" : "light");
        open();
    });
    open();
    root.dataset.ready = "true";
})();
