/*
 * page.js - the page's panels: counts by time that a brush filters, and transactions behind every bar.
 *
 * Text from the data goes into the page as text only (textContent, setAttribute); there is no innerHTML, no request, no
 * storage. Without this script the page has its tables and one picture; without data, as an audit's, its tables alone.
 */
"use strict";
(() => {
	const SVG = "http://www.w3.org/2000/svg";
	const PHASES = ["before the queue", "in the queue", "connecting", "transmitting"];
	const DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

	/* ---- elements ---- */

	function fill(made, attributes) {
		for (const [key, value] of Object.entries(attributes || {}))
			if (key === "onclick") made.addEventListener("click", value);
			else if (value !== null && value !== undefined) made.setAttribute(key, value);
		return made;
	}
	function element(name, attributes, ...children) {
		const made = fill(document.createElement(name), attributes);
		made.append(...children);
		return made;
	}
	function shape(name, attributes, ...children) {
		const made = fill(document.createElementNS(SVG, name), attributes);
		made.append(...children);
		return made;
	}
	const button = (words, onclick, attributes) => element("button", { type: "button", onclick, ...attributes }, words);
	/* Pictures over the whole page are drawn as wide as it is when it opens, so that their words can be read on a telephone. */
	const pageWidth = Math.min(1120, Math.max(300, document.documentElement.clientWidth - 66));
	const label = (x, y, text, anchor) => shape("text", { x, y, "text-anchor": anchor || "start" }, text);

	/* A bar that filters: by click, and by Enter or the space bar. */
	function hit(made, words, act) {
		fill(made, { tabindex: -1, role: "button", "aria-label": words, class: (made.getAttribute("class") || "") + " hit", onclick: act });
		made.append(shape("title", {}, words));
		made.addEventListener("keydown", event => {
			if (event.key === "Enter" || event.key === " ") { event.preventDefault(); act(); }
		});
		return made;
	}

	/* A picture: its bars are one stop of the Tab key, arrows go from one to the next. */
	function picture(width, height, words, children) {
		const svg = shape("svg", { viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": words }, ...children);
		const hits = [...svg.querySelectorAll(".hit")];
		if (hits.length) hits[0].setAttribute("tabindex", 0);
		svg.addEventListener("keydown", event => {
			const way = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key], next = hits[hits.indexOf(event.target) + way];
			if (!way || !next) return;
			event.preventDefault();
			for (const other of hits) other.setAttribute("tabindex", other === next ? 0 : -1);
			next.focus();
		});
		return svg;
	}

	/* The height of a scale, and half of it. */
	const scale = (width, height, most) => (most < 4 ? [0] : [0, height / 2]).map((y, i) => shape("g", { class: "scale", "aria-hidden": "true" },
		shape("line", { x1: 0, x2: width, y1: y, y2: y }), label(2, y + 11, grouped(most / (i + 1)))));
	/* Where a bar of a step lies: few bars are no walls. */
	const BAR_MAX = 70;
	function across(i, step) {
		const width = Math.min(step * 0.9, BAR_MAX);
		return { x: i * step + (step - width) / 2, width };
	}

	function table(heads, rows, attributes) {
		return element("table", attributes || {}, element("thead", {}, ...heads), element("tbody", {}, ...rows));
	}
	const head = (words, isNumber) => element("th", { scope: "col", class: isNumber ? "number" : null }, words);
	/* Made when it is opened: nobody waits for what is folded. */
	function asTable(heads, rows) {
		const folded = element("details", {}, element("summary", {}, "as a table"));
		folded.unfold = () => {
			if (folded.children.length === 1) folded.append(table([element("tr", {}, ...heads.map((words, i) => head(words, i)))],
				rows().map(row => element("tr", {}, ...row.map((cell, i) => element(i ? "td" : "th", i ? { class: "number" } : { scope: "row" }, String(cell)))))));
		};
		folded.addEventListener("toggle", folded.unfold);
		return folded;
	}

	/* ---- numbers and words ---- */

	const grouped = number => Math.round(number).toLocaleString("en-US");
	function duration(seconds) {
		for (const [unit, of] of [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]])
			if (seconds >= of) return +(seconds / of).toPrecision(3) + " " + unit;
		return +(seconds * 1000).toPrecision(3) + " ms";
	}
	function bytes(number) {
		for (const [unit, of] of [["GB", 1e9], ["MB", 1e6], ["kB", 1e3]])
			if (number >= of) return +(number / of).toPrecision(3) + " " + unit;
		return number + " B";
	}
	const when = seconds => new Date(seconds * 1000).toISOString().slice(0, 19).replace("T", " ");
	const quoted = text => /^[\w.@+<>:=~-]+$/.test(text) ? text : '"' + text.replace(/[\\"]/g, "\\$&") + '"';
	const shellQuoted = text => /^[\w.\/@:+=-]+$/.test(text) ? text : "'" + text.replace(/'/g, "'\\''") + "'";
	const command = asked => ["smtptrail search", asked.startsWith("-") ? "--" : "", asked ? shellQuoted(asked) : "", document.body.dataset.files || ""].filter(Boolean).join(" ");

	async function copy(text) {
		try {
			await navigator.clipboard.writeText(text);
			return true;
		} catch (error) {
			return false;
		}
	}
	/* What cannot be copied is shown, chosen, for the hand. */
	function copyButton(words, text, attributes) {
		const made = button(words, async () => {
			if (await copy(text())) {
				made.classList.add("done");
				setTimeout(() => made.classList.remove("done"), 1500);
			} else {
				const shown = element("input", { readonly: "", class: "command", "aria-label": "command", value: text() });
				made.after(shown);
				shown.select();
				shown.addEventListener("blur", () => shown.remove());
			}
		}, attributes);
		return made;
	}
	const copyIcon = () => shape("svg", { viewBox: "0 0 16 16", class: "icon", "aria-hidden": "true" },
		shape("path", { d: "M5.5 4.5v-3h9v9h-3M1.5 5.5h9v9h-9z" }));

	/* ---- tables: sorted, searched ---- */

	function sortable(made) {
		const body = made.tBodies[0], rows = [...body.rows], cells = [...made.tHead.rows[0].cells];
		cells.forEach((cell, i) => {
			const words = cell.textContent;
			let down = false;
			const value = row => row.cells[i].dataset.value !== undefined ? +row.cells[i].dataset.value : row.cells[i].textContent;
			cell.replaceChildren(button(words, () => {
				down = !down;
				rows.sort((a, b) => value(a) < value(b) ? (down ? 1 : -1) : value(a) > value(b) ? (down ? -1 : 1) : 0);
				body.append(...rows);
				for (const other of cells) other.removeAttribute("aria-sort");
				cell.setAttribute("aria-sort", down ? "descending" : "ascending");
			}));
		});
		const find = element("input", { type: "search", placeholder: "find in this table", "aria-label": "find in " + made.caption.textContent });
		find.addEventListener("input", () => {
			const text = find.value.toLowerCase();
			for (const row of rows) row.classList.toggle("hidden", !row.textContent.toLowerCase().includes(text));
		});
		if (rows.length > 5) made.before(element("div", { class: "tools" }, find));
		return rows;
	}
	const tables = [...document.querySelectorAll("table.report")].map(made => sortable(made)).flat();
	/* Work for when the page has been painted: piece by piece, so that no gesture waits for it. */
	const waiting = [];
	const idle = window.requestIdleCallback || (work => setTimeout(work, 20));
	function later(...pieces) {
		if (!waiting.length) requestAnimationFrame(() => idle(workOn));
		waiting.push(...pieces);
	}
	function workOn() {
		if (waiting.length) waiting.shift()();
		if (waiting.length) idle(workOn);
		else document.documentElement.dataset.ready = "";
	}
	addEventListener("beforeprint", () => { while (waiting.length) workOn(); });

	/* A table's buttons are made when it comes into sight, or when there is nothing else to do. */
	function rowTools(show) {
		function addTools(row) {
			const asked = row.dataset.query, tools = element("span", { class: "rowtools" });
			if (show && compile(asked)) tools.append(button("show", () => show(asked), { title: "its transactions in this page" }));
			tools.append(copyButton(copyIcon(), () => command(asked), { title: "copy as command", "aria-label": "copy as command: " + asked }));
			row.cells[0].append(tools);
		}
		const left = new Map([...document.querySelectorAll("table.report")].map(made => [made, tables.filter(row => made.contains(row) && row.dataset.query)]));
		function take(made) {
			const rows = left.get(made) || [];
			left.delete(made);
			watcher.unobserve(made);
			rows.forEach(addTools);
		}
		const watcher = new IntersectionObserver(entries => entries.forEach(entry => { if (entry.isIntersecting) take(entry.target); }), { rootMargin: "200px" });
		for (const made of left.keys()) watcher.observe(made);
		later(...[...left.keys()].map(made => () => take(made)));
	}

	const theme = button("light / dark", () => {
		const root = document.documentElement, dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
		root.dataset.theme = dark ? "light" : "dark";
	}, { class: "noprint" });
	document.querySelector("header").append(theme);

	/* ---- queries, as far as this page can answer them ---- */

	const FIELDS = {
		from: row => row.from, to: row => row.to, fate: row => row.fate, reason: row => row.reason, stage: row => row.stage, relay: row => row.relay,
		relay_name: row => row.relay.replace(/\[.*/, ""), code: row => row.code, reply_code: row => row.code, dsn: row => row.dsn, client: row => row.client,
		from_domain: row => row.domain, spf: row => row.spf, dkim: row => row.dkim, dmarc: row => row.dmarc, by: row => row.by,
		/* Each is a recipient that goes no further. */
		hop: () => "no", is: () => "recipient",
	};

	function compileTerm(word) {
		const colon = word.indexOf(":"), get = FIELDS[word.slice(0, colon).replace(/^(recipient|message|session)\./, "")];
		let value = word.slice(colon + 1);
		if (colon < 0 || !get || /^[<>/]./.test(value) && value !== "<>") return null;
		if (word.startsWith("is:") && word !== "is:recipient") return null;
		if (value === "*") return row => get(row) !== "";
		if (value.startsWith('"')) value = value.slice(1, -1).replace(/\\(.)/g, "$1");
		else if (/[*?]/.test(value)) {
			const pattern = new RegExp("^" + value.replace(/[.+^${}()|[\]\\]/g, "\\$&").replace(/\*/g, ".*").replace(/\?/g, ".") + "$", "i");
			return row => pattern.test(get(row));
		}
		value = value.toLowerCase();
		return row => get(row).toLowerCase() === value;
	}

	/* A predicate; null: it asks for what is not in this page. */
	function compile(text) {
		const words = text.match(/[()]|-(?=[\w(])|(?:[^\s()":]+:)?"(?:[^"\\]|\\.)*"|[^\s()"]+/g) || [];
		let at = 0;
		function primary() {
			const word = words[at++];
			if (word === "-") { const inner = primary(); return inner && (row => !inner(row)); }
			if (word !== "(") return word ? compileTerm(word) : null;
			const inner = either();
			at++;
			return inner;
		}
		function all() {
			const terms = [];
			while (at < words.length && words[at] !== ")" && words[at] !== "OR") terms.push(primary());
			return terms.length && terms.every(Boolean) ? row => terms.every(term => term(row)) : null;
		}
		function either() {
			const terms = [all()];
			while (words[at] === "OR") { at++; terms.push(all()); }
			return terms.every(Boolean) ? row => terms.some(term => term(row)) : null;
		}
		const found = either();
		return at === words.length ? found : null;
	}

	const source = document.getElementById("data");
	if (!source) {
		rowTools(null);
		return;
	}

	/* ---- data ---- */

	const data = JSON.parse(source.textContent);
	const slotSeconds = data.slot === "day" ? 86400 : 3600;
	const slotTimes = data.slots.map(name => Date.parse(name.slice(0, 10) + "T" + (name.slice(11, 13) || "00") + ":00:00Z") / 1000);
	const slotName = slot => data.slots[slot] + (data.slot === "hour" ? ":00" : "");

	/* Numbers of a column, a text of a table: page_transactions.c says how they are written. */
	const base = (data.digits || "").length / 2, digits = new Uint8Array(128);
	for (let i = 0; i < base * 2; i++) digits[data.digits.charCodeAt(i)] = i;
	function numbers(name) {
		const text = data.columns[name], found = [];
		for (let i = 0, value = 0, factor = 1; i < text.length; i++) {
			const digit = digits[text.charCodeAt(i)];
			value += digit % base * factor;
			factor *= base;
			if (digit < base) { found.push(value); value = 0; factor = 1; }
		}
		return found;
	}
	const differences = name => numbers(name).map(number => number % 2 ? -(number + 1) / 2 : number / 2);
	const digest = i => [...data.columns.key.slice(i * 5, i * 5 + 5)].reduce((sum, c) => sum * base * 2 + digits[c.charCodeAt(0)], 0);
	const hex = number => number.toString(16).padStart(8, "0");
	/* What few of them are asked for is made then. */
	class Transaction {
		constructor(time, place, begin, delay, size, from, to, relay, client, domain, outcome) {
			this.time = time; this.place = place; this.begin = begin; this.delay = delay; this.size = size;
			this.from = from; this.to = to; this.relay = relay; this.client = client; this.domain = domain; this.outcome = outcome; this.found = null;
		}
		get fate() { return this.outcome[0]; }
		get stage() { return this.outcome[1]; }
		get by() { return this.outcome[2]; }
		get reason() { return this.outcome[3]; }
		get code() { return this.outcome[4]; }
		get dsn() { return this.outcome[5]; }
		get spf() { return this.outcome[6]; }
		get dkim() { return this.outcome[7]; }
		get dmarc() { return this.outcome[8]; }
		get key() { return hex(this.begin - data.key_epoch) + hex(digest(this.place)); }
		get words() { return this.found = this.found || [this.from, this.to, this.relay, this.client, this.reason].join("\n").toLowerCase(); }
	}

	/* Those with a problem first: kind by kind, the newest of each first. */
	function transactions() {
		const tables = {}, columns = {}, found = [];
		for (const name in data.tables) tables[name] = data.tables[name].split("\n");
		for (const name in data.columns) columns[name] = /time/.test(name) ? differences(name) : name === "key" ? [] : numbers(name);
		const outcomes = data.outcome.map(([fate, ...words]) => [data.fates[fate], ...words.map(word => tables.words[word])]);
		const address = (local, domain) => tables.locals[local] + (domain ? "@" + tables.domains[domain - 1] : "");
		let time = 0, next = 0;
		for (const count of data.kinds) {
			const kind = [];
			for (const end = next + count; next < end; next++) {
				const i = next, at = name => columns[name][i];
				time += at("time");
				const relay = tables.relays[at("relay")], place = relay.indexOf("\t"), domain = at("domain"), named = place < 0 ? relay :
					relay.slice(0, place) + tables.domains[at("to_domain") - 1] + relay.slice(place + 1);
				kind.push(new Transaction(time, i, time + at("key_time"), at("delay") / 1000, at("size"), address(at("from_local"), at("from_domain")),
					address(at("to_local"), at("to_domain")), named, tables.clients[at("client")], domain ? tables.domains[domain - 1] : "", outcomes[at("outcome")]));
			}
			found.push(...kind.sort((a, b) => b.time - a.time));
		}
		return found;
	}
	let read = null;
	const rows = () => read = read || (data.columns ? transactions() : []);
	const dayOf = time => (new Date(time * 1000).getUTCDay() + 6) % 7, hourOf = time => Math.floor(time / 3600) % 24;

	/* ---- the filter ---- */

	const NOTHING = { slots: null, fate: null, delay: null, hour: null, result: null, query: null, text: "" };
	const filter = { ...NOTHING };
	const painters = [];
	const inSlots = slot => !filter.slots || (slot >= filter.slots[0] && slot <= filter.slots[1]);
	const span = () => filter.slots ? [slotTimes[filter.slots[0]], slotTimes[filter.slots[1]] + slotSeconds] : null;

	/* What a row must be, each a question and the words that ask it of the command. */
	function conditions() {
		const found = [], times = span(), since = (from, until) => 'since:"' + when(from) + '" until:"' + when(until) + '"';
		if (times) found.push([row => row.time >= times[0] && row.time < times[1], since(...times)]);
		if (filter.fate !== null) found.push([row => row.fate === filter.fate, "fate:" + filter.fate]);
		if (filter.delay) {
			const [from, until] = filter.delay;
			found.push([row => row.fate === "delivered" && row.delay >= from && row.delay < (until || Infinity), "fate:delivered delay:>=" + from + "s" + (until ? " delay:<" + until + "s" : "")]);
		}
		if (filter.hour) {
			const [day, hour] = filter.hour;
			const spans = slotTimes.filter(time => dayOf(time) === day && hourOf(time) === hour).map(time => "(" + since(time, time + 3600) + ")");
			found.push([row => dayOf(row.time) === day && hourOf(row.time) === hour, spans.length > 1 ? "(" + spans.join(" OR ") + ")" : spans.join("").slice(1, -1)]);
		}
		if (filter.result) {
			const [domain, check, result] = filter.result;
			found.push([row => row.domain === domain && row[check] === result, "from_domain:" + quoted(domain) + " " + check + ":" + result]);
		}
		if (filter.query) found.push([compile(filter.query), filter.query]);
		if (filter.text) found.push([row => row.words.includes(filter.text), quoted(filter.text)]);
		return found;
	}
	function query() {
		const asked = document.body.dataset.query, terms = conditions().map(([, words]) => words);
		return [asked ? "(" + asked + ")" : "", ...terms].filter(Boolean).join(" ");
	}

	/* Paints what depends on the changes; without any, everything but for what depends on all of the filter: that may come later. */
	function set(changes) {
		const isFirst = !Object.keys(changes).length;
		const changed = Object.keys(changes).filter(name => JSON.stringify(filter[name]) !== JSON.stringify(changes[name]));
		Object.assign(filter, changes);
		for (const { names, paint } of painters) if (names ? isFirst || names.some(name => changed.includes(name)) : !isFirst) paint();
	}
	const toggle = (name, value) => set({ [name]: JSON.stringify(filter[name]) === JSON.stringify(value) ? null : value });

	/* ---- panels ---- */

	const panels = element("div", { class: "panels" });
	const STOPS = "[tabindex], button, input, summary";

	/* Painted anew at each change: what had the focus has it again, and what was open is open. */
	function repaint(body, paint) {
		const stops = [...body.querySelectorAll(STOPS)], focused = stops.indexOf(document.activeElement), open = [...body.querySelectorAll("details")].map(each => each.open);
		body.replaceChildren(...paint());
		body.querySelectorAll("details").forEach((each, i) => { if (open[i]) { each.open = true; each.unfold(); } });
		if (focused < 0) return;
		const again = [...body.querySelectorAll(STOPS)];
		if (again.length) again[Math.min(focused, again.length - 1)].focus();
	}
	/* Names are those of the filter that it depends on; null: on all of them. */
	function panel(title, size, names, paint, ...tools) {
		const body = element("div"), id = "panel-" + title.replace(/\W+/g, "-").toLowerCase();
		panels.append(element("section", { class: size, "aria-labelledby": id }, element("h2", { id }, title), ...tools, body));
		painters.push({ names, paint: () => repaint(body, paint) });
	}
	const note = (...words) => element("p", { class: "note" }, ...words);

	/* Sums of cells whose slot is inside, by the member at an index. */
	function sums(cells, at, count, size) {
		const found = new Array(size).fill(0);
		for (const cell of cells) if (inSlots(cell[0])) found[cell[at]] += cell[count];
		return found;
	}
	const swatch = name => shape("svg", { viewBox: "0 0 10 10", "aria-hidden": "true" }, shape("rect", { class: name, width: 10, height: 10 }));

	const perSlot = data.slots.map(() => new Array(data.fates.length).fill(0));
	for (const [slot, fate, count] of data.outcomes) perSlot[slot][fate] += count;
	const totals = perSlot.map(row => row.reduce((a, b) => a + b, 0));

	/* ---- time: what is dragged over, or chosen by arrow keys, filters all panels ---- */

	panel("Time", "wide", ["slots"], () => {
		if (!data.slots.length) return [note("Nothing was found.")];
		const width = pageWidth, height = 80, count = Math.max(1, data.slots.length), step = width / count, most = Math.max(1, ...totals);
		const svg = shape("svg", { viewBox: `0 0 ${width} ${height + 16}`, class: "brush", tabindex: 0, role: "slider", "aria-valuemin": 0, "aria-valuemax": count - 1,
			"aria-label": "time: drag, or arrow keys; with shift longer; escape: all", "aria-valuenow": filter.slots ? filter.slots[0] : 0,
			"aria-valuetext": filter.slots ? slotName(filter.slots[0]) + " to " + slotName(filter.slots[1]) : "all" });
		totals.forEach((total, slot) => svg.append(shape("rect", { class: inSlots(slot) ? "bar" : "bar out", ...across(slot, step), y: height - total / most * height,
			height: total / most * height }, shape("title", {}, slotName(slot) + ": " + grouped(total)))));
		const chosen = shape("rect", { class: "selection", y: 0, height, x: 0, width: 0 });
		const show = slots => fill(chosen, { x: slots ? slots[0] * step : 0, width: slots ? (slots[1] - slots[0] + 1) * step : 0 });
		const slotAt = event => {
			const box = svg.getBoundingClientRect();
			return Math.min(count - 1, Math.max(0, Math.floor((event.clientX - box.left) / box.width * count)));
		};
		const ordered = (a, b) => a <= b ? [a, b] : [b, a];
		let from = null;
		svg.append(chosen);
		if (data.slots.length) svg.append(label(0, height + 13, slotName(0)), label(width, height + 13, slotName(count - 1), "end"));
		svg.addEventListener("pointerdown", event => { from = slotAt(event); svg.setPointerCapture(event.pointerId); show([from, from]); });
		svg.addEventListener("pointermove", event => { if (from !== null) show(ordered(from, slotAt(event))); });
		svg.addEventListener("pointerup", event => {
			const slots = from === null ? null : ordered(from, slotAt(event));
			from = null;
			if (slots) toggle("slots", slots);
		});
		svg.addEventListener("keydown", event => {
			const [a, b] = filter.slots || [0, -1], way = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
			if (event.key === "Escape") set({ slots: null });
			else if (way && !filter.slots) set({ slots: way > 0 ? [0, 0] : [count - 1, count - 1] });
			else if (way && event.shiftKey) set({ slots: [a, Math.min(count - 1, Math.max(a, b + way))] });
			else if (way && a + way >= 0 && b + way < count) set({ slots: [a + way, b + way] });
			else if (!way) return;
			event.preventDefault();
		});
		show(filter.slots);
		return [svg, note(filter.slots ? slotName(filter.slots[0]) + " to " + when(span()[1]).slice(0, 16) + " UTC" : "Everything that was read. Drag over a part of it to see that part in every panel.")];
	});

	panel("Outcomes by " + data.slot, "wide", ["slots", "fate"], () => {
		const slots = data.slots.map((_, i) => i).filter(inSlots), width = pageWidth, height = 190, step = width / Math.max(1, slots.length);
		const counted = slot => perSlot[slot].map((count, fate) => filter.fate === null || filter.fate === data.fates[fate] ? count : 0);
		const most = Math.max(1, ...slots.map(slot => counted(slot).reduce((a, b) => a + b, 0))), all = sums(data.outcomes, 1, 2, data.fates.length), sum = all.reduce((a, b) => a + b, 0);
		const bars = slots.map((slot, i) => {
			let y = height;
			return counted(slot).map((count, fate) => {
				if (!count) return null;
				const tall = count / most * height, name = data.fates[fate];
				y -= tall;
				return hit(shape("rect", { class: name, ...across(i, step), y, height: tall }), slotName(slot) + " " + name + ": " + grouped(count),
					() => set({ fate: name, slots: [slot, slot] }));
			}).filter(Boolean);
		}).flat();
		const ends = slots.length ? [label(0, height + 13, slotName(slots[0])), label(width, height + 13, slotName(slots[slots.length - 1]), "end")] : [];
		const named = data.fates.map((fate, i) => [fate, all[i]]).filter(([, count]) => count);
		if (!sum) return [note("No recipients.")];
		const legend = element("ul", { class: "legend tiles" }, ...named.map(([fate, count]) => element("li", {}, button("", () => toggle("fate", fate), { "aria-pressed": String(filter.fate === fate) }))));
		named.forEach(([fate, count], i) => legend.children[i].firstChild.append(swatch(fate), " " + fate, element("b", {}, grouped(count)),
			element("span", { class: "dim" }, (count / sum * 100).toFixed(1) + " %")));
		return [legend, picture(width, height + 16, "recipients by " + data.slot + " and outcome", [...bars, ...scale(width, height, most), ...ends]),
			asTable(["Outcome", "Recipients"], () => named.map(([fate, count]) => [fate, grouped(count)]))];
	});

	panel("Delay of deliveries", null, ["slots"], () => {
		const count = data.edges.length, width = 350, height = 150, step = width / count, cells = Array.from({ length: count }, () => [0, 0, 0, 0, 0]);
		for (const cell of data.delays) if (inSlots(cell[0])) for (let i = 0; i < 5; i++) cells[cell[1]][i] += cell[2 + i];
		const most = Math.max(0, ...cells.map(cell => cell[0]));
		if (!most) return [note("No deliveries.")];
		const name = i => i + 1 < count ? duration(data.edges[i]) + " to " + duration(data.edges[i + 1]) : duration(data.edges[i]) + " and more";
		const bars = cells.map((cell, i) => {
			const tall = cell[0] / most * height, time = cell[1] + cell[2] + cell[3] + cell[4], group = shape("g", {});
			let y = height;
			for (let phase = 0; phase < 4; phase++) {
				const part = time ? tall * cell[1 + phase] / time : phase ? 0 : tall;
				y -= part;
				group.append(shape("rect", { class: "phase" + phase, ...across(i, step), y, height: part }));
			}
			return cell[0] ? hit(group, name(i) + ": " + grouped(cell[0]), () => toggle("delay", [data.edges[i], i + 1 < count ? data.edges[i + 1] : null])) : group;
		});
		const marks = data.edges.map((edge, i) => i % 3 ? null : label(i * step, height + 13, duration(edge))).filter(Boolean);
		return [picture(width, height + 16, "deliveries by delay, each bar by phase", [...bars, ...scale(width, height, most), ...marks]),
			element("ul", { class: "legend" }, ...PHASES.map((phase, i) => element("li", {}, swatch("phase" + i), phase))),
			asTable(["Delay", "Deliveries", ...PHASES.map(phase => phase + ", mean")],
				() => cells.map((cell, i) => [name(i), grouped(cell[0]), ...PHASES.map((_, phase) => cell[0] ? duration(cell[1 + phase] / cell[0] / 1000) : "")]))];
	});

	panel("From connection to delivery", null, ["slots"], () => {
		const counts = sums(data.funnel, 1, 2, data.stages.length), width = 350, line = 25, left = 140, most = Math.max(1, ...counts), wide = count => count / most * (width - left - 60);
		const bars = counts.map((count, i) => shape("g", {}, shape("rect", { class: "bar", x: left, y: i * line + 4, width: wide(count), height: line - 8 }),
			label(left - 6, i * line + 17, data.stages[i], "end"), label(left + 5 + wide(count), i * line + 17, grouped(count))));
		const svg = picture(width, line * counts.length, data.stages.map((stage, i) => stage + " " + grouped(counts[i])).join(", "), bars);
		svg.setAttribute("role", "img");
		return [svg, asTable(["How far", "Count"], () => data.stages.map((stage, i) => [stage, grouped(counts[i])]))];
	});

	panel("Hours of the week (UTC)", null, ["slots"], () => {
		if (data.slot === "day") return [note("The span is too long for hours.")];
		const cells = DAYS.map(() => new Array(24).fill(0)), size = 13, left = 30;
		totals.forEach((total, slot) => {
			if (inSlots(slot)) cells[dayOf(slotTimes[slot])][hourOf(slotTimes[slot])] += total;
		});
		const most = Math.max(1, ...cells.flat());
		const boxes = cells.map((row, day) => row.map((count, hour) => {
			const words = DAYS[day] + " " + String(hour).padStart(2, "0") + ":00: " + grouped(count);
			const box = shape("rect", { class: "cell", x: left + hour * size, y: day * 20, width: size - 2, height: 18, opacity: count ? 0.15 + 0.85 * count / most : 0.06 });
			return count ? hit(box, words, () => toggle("hour", [day, hour])) : box;
		})).flat();
		const marks = [...DAYS.map((day, i) => label(0, i * 20 + 13, day)), ...[0, 6, 12, 18].map(hour => label(left + hour * size, 7 * 20 + 12, String(hour).padStart(2, "0")))];
		return [picture(left + 24 * size, 7 * 20 + 16, "recipients by weekday and hour", [...boxes, ...marks]),
			asTable(["Day", ...Array(24).keys()], () => cells.map((row, day) => [DAYS[day], ...row.map(grouped)]))];
	});

	/* ---- authentication: a domain a line, and the results that each check has ---- */

	panel("SPF, DKIM and DMARC by domain of From:", "wide", ["slots", "result"], () => {
		const kinds = data.checks.map((_, check) => data.results.map((_, result) => result).filter(result => data.auth.some(cell => cell[2] === check && cell[3] === result)));
		const counts = data.domains.map(() => data.checks.map(() => new Array(data.results.length).fill(0)));
		for (const [slot, domain, check, result, count] of data.auth) if (inSlots(slot)) counts[domain][check][result] += count;
		const shown = data.domains.map((domain, i) => [domain, counts[i]]).filter(([, found]) => found.flat().some(Boolean));
		if (!shown.length) return [note("Nothing was checked here. Records of smtptrail-milter tell of SPF, DKIM and DMARC; so do the lines of opendmarc.")];
		const cell = (domain, check, result, count) => {
			const wanted = [domain, data.checks[check], data.results[result]], act = () => toggle("result", wanted);
			const plain = !count || domain === data.domains[data.domains.length - 1];
			return element("td", { class: "number " + data.results[result] }, plain ? count ? grouped(count) : "" : button(grouped(count), act, {
				"aria-pressed": String(JSON.stringify(filter.result) === JSON.stringify(wanted)), "aria-label": wanted.join(" ") + ": " + count }));
		};
		return [table([element("tr", {}, element("td", {}), ...data.checks.map((check, i) => kinds[i].length ? element("th", { scope: "colgroup", colspan: kinds[i].length }, check.toUpperCase()) : "")),
			element("tr", {}, head("Domain"), ...kinds.map(results => results.map(result => head(data.results[result], true))).flat())],
			shown.slice(0, 15).map(([domain, found]) => element("tr", {}, element("th", { scope: "row" }, domain), ...kinds.map((results, check) => results.map(result => cell(domain, check, result, found[check][result]))).flat())),
			{ class: "matrix" })];
	});

	/* ---- transactions ---- */

	const COLUMNS = [
		{ title: "Time (UTC)", value: row => row.time, show: row => when(row.time), class: "short" }, { title: "From", value: row => row.from }, { title: "To", value: row => row.to },
		{ title: "Outcome", value: row => row.fate, class: "short" }, { title: "Relay or stage", value: row => row.relay || row.stage }, { title: "Why", value: row => [row.code, row.dsn, row.reason].filter(Boolean).join(" ") },
		{ title: "DMARC", value: row => row.dmarc, class: "short" }, { title: "Delay", value: row => row.delay, show: row => row.delay ? duration(row.delay) : "", class: "number" },
		{ title: "Size", value: row => row.size, show: row => row.size ? bytes(row.size) : "", class: "number" },
	];
	const SHOWN = 50;
	const order = { column: null, down: true };
	let limit = SHOWN;

	const search = element("input", { type: "search", placeholder: "find in transactions", "aria-label": "find in transactions" });
	search.addEventListener("input", () => { limit = SHOWN; set({ text: search.value.trim().toLowerCase() }); });
	const clear = button("clear the filter", () => { search.value = ""; order.column = null; limit = SHOWN; set(NOTHING); });
	const shown = element("code", { class: "command" });
	const tools = element("div", { class: "tools" }, search, clear, copyButton("copy as command", () => command(query())), shown);

	function sortBy(i) {
		if (order.column === i && !order.down) order.column = null;
		else { order.down = order.column !== i; order.column = i; }
		set({ text: filter.text });
	}
	panel("Transactions", "wide", null, () => {
		const asked = conditions(), found = asked.length ? rows().filter(row => asked.every(([question]) => question(row))) : [...rows()];
		if (order.column !== null) {
			const value = COLUMNS[order.column].value, way = order.down ? -1 : 1;
			found.sort((a, b) => value(a) < value(b) ? -way : value(a) > value(b) ? way : 0);
		}
		shown.textContent = command(query());
		const words = grouped(found.length) + " of the " + grouped(rows().length) + " in this page" + (order.column === null ? ", problems first, the newest of each first" : "") +
			(data.all > rows().length ? ". " + grouped(data.all) + " were read: the command shows " + (found.length ? "the rest." : "what there is.") : ".");
		const heads = element("tr", {}, ...COLUMNS.map((column, i) => element("th", { scope: "col", class: column.class, "aria-sort": i === order.column ? order.down ? "descending" : "ascending" : null },
			button(column.title, () => sortBy(i)))), element("th", { scope: "col" }, "Trace"));
		const lines = found.slice(0, limit).map(row => element("tr", {}, ...COLUMNS.map(column => element("td", { class: column.class }, String((column.show || column.value)(row)))),
			element("td", {}, copyButton(copyIcon(), () => ["smtptrail trace key:" + row.key, document.body.dataset.files || ""].filter(Boolean).join(" "),
				{ title: "copy: smtptrail trace key:" + row.key, "aria-label": "copy as trace command" }))));
		const more = found.length > limit ? [button("show more", () => { limit += 5 * SHOWN; set({ text: filter.text }); })] : [];
		return [element("p", { class: "note", role: "status" }, words), table([heads], lines, { class: "transactions" }), ...more];
	}, tools);

	/* A list of thousands, below what is in sight. */
	later(() => { if (!read) set({ text: "" }); });
	rowTools(asked => {
		set({ ...NOTHING, slots: filter.slots, query: asked });
		document.getElementById("panel-transactions").scrollIntoView();
	});
	document.getElementById("static").replaceWith(panels, note("The tables below are of everything that was read."));
	set({});
})();
