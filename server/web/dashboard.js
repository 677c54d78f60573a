const PERIOD_MS = 1000;
const HISTORY = 120; // samples that charts show
const WINDOW = 10; // samples that rates and latencies are of
const CLASSES = ["interactive", "bulk"];
const CHARTS = {
  texts: "Texts a second",
  tokens: "Tokens a second",
  median: "Latency, 50th percentile",
  p95: "Latency, 95th percentile",
  waiting: "Texts waiting",
  failed: "Failed requests a second",
};

const element = (id) => document.getElementById(id);

function make(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

/* Asking the server ---------------------------------------------------------------------------------------------- */

let key = sessionStorage.getItem("bertd-key") || "";

class Refusal extends Error {
  constructor(code, words) {
    super(words);
    this.code = code;
  }
}

async function ask(path, body) {
  const headers = { Accept: path === "metrics" ? "text/plain" : "application/json" };
  if (key) headers.Authorization = `Bearer ${key}`;
  if (body) headers["Content-Type"] = "application/json";
  const options = { method: body ? "POST" : "GET", headers, cache: "no-store" };
  if (body) options.body = JSON.stringify(body);
  const answer = await fetch(path, options);
  if (!answer.ok) {
    const said = await answer.json().catch(() => ({}));
    throw new Refusal(answer.status, said.error || `${path} answers ${answer.status}`);
  }
  return answer;
}

/* Numbers -------------------------------------------------------------------------------------------------------- */

/* Lines of Prometheus' text: {'name{labels}': value}. */
function parseMetrics(text) {
  const values = new Map();
  for (const line of text.split("\n")) {
    const at = line.lastIndexOf(" ");
    if (at > 0 && line[0] !== "#") values.set(line.slice(0, at), Number(line.slice(at + 1)));
  }
  return values;
}

/* Those of one name, summed. */
function total(values, name) {
  let sum = 0;
  for (const [series, value] of values) if (series === name || series.startsWith(name + "{")) sum += value;
  return sum;
}

/* The buckets of a histogram: Map of upper end to count below. */
function buckets(values, name, label = "") {
  const found = new Map();
  const start = `${name}_bucket{${label}`;
  for (const [series, value] of values) {
    if (!series.startsWith(start)) continue;
    const end = /le="([^"]*)"/.exec(series)[1];
    found.set(end === "+Inf" ? Infinity : Number(end), value);
  }
  return found;
}

/* Of what was observed between two times; NaN: nothing was. */
function quantile(share, before, after) {
  const ends = [...after.keys()].sort((a, b) => a - b);
  const count = (end) => after.get(end) - (before.get(end) || 0);
  const all = ends.length ? count(ends[ends.length - 1]) : 0;
  if (!(all > 0)) return NaN;
  let low = 0;
  let below = 0;
  for (const end of ends) {
    if (count(end) >= share * all) {
      if (end === Infinity) return low;
      return low + ((end - low) * (share * all - below)) / (count(end) - below);
    }
    low = end;
    below = count(end);
  }
  return NaN;
}

function formatNumber(value) {
  if (!Number.isFinite(value)) return "–";
  return value.toLocaleString("en", { maximumFractionDigits: value < 10 ? 1 : 0 });
}

function formatSeconds(seconds) {
  if (!Number.isFinite(seconds)) return "–";
  if (seconds >= 1) return `${seconds.toFixed(2)} s`;
  return seconds >= 0.01 ? `${(seconds * 1e3).toFixed(0)} ms` : `${(seconds * 1e3).toFixed(2)} ms`;
}

/* Charts --------------------------------------------------------------------------------------------------------- */

const past = Object.fromEntries(Object.keys(CHARTS).map((name) => [name, []]));

function chart(name, value, words) {
  const values = past[name];
  values.push(Number.isFinite(value) ? value : 0);
  if (values.length > HISTORY) values.shift();
  element(name).textContent = words;
  const most = Math.max(...values, 1e-9);
  const points = values.map((v, i) => `${HISTORY - values.length + i},${30 - (28 * v) / most}`);
  const svg = element(`${name}-chart`);
  svg.querySelector("polyline").setAttribute("points", points.join(" "));
  svg.querySelector("polygon").setAttribute("points",
    `${HISTORY - values.length},30 ${points.join(" ")} ${HISTORY - 1},30`);
}

function prepareCharts() {
  for (const [name, title] of Object.entries(CHARTS)) {
    const svg = element(`${name}-chart`);
    svg.setAttribute("viewBox", `0 0 ${HISTORY - 1} 31`);
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", `${title}, the last two minutes`);
    for (const shape of ["polygon", "polyline"]) svg.append(document.createElementNS("http://www.w3.org/2000/svg", shape));
  }
}

/* What is shown -------------------------------------------------------------------------------------------------- */

const samples = []; // {time, values}, the last WINDOW + 1

function showMetrics(values) {
  samples.push({ time: performance.now(), values });
  if (samples.length > WINDOW + 1) samples.shift();
  const first = samples[0];
  const seconds = (samples[samples.length - 1].time - first.time) / 1e3;
  const rate = (name) => (seconds > 0 ? Math.max(0, (total(values, name) - total(first.values, name)) / seconds) : NaN);
  const latency = (share, name, label) =>
    quantile(share, buckets(first.values, name, label), buckets(values, name, label));
  for (const [figure, name] of [["texts", "te_embed_success"], ["tokens", "te_request_input_length_sum"],
                                ["failed", "te_request_failure"]])
    chart(figure, rate(name), formatNumber(rate(name)));
  for (const [figure, share] of [["median", 0.5], ["p95", 0.95]]) {
    const value = latency(share, "te_request_duration");
    chart(figure, value, formatSeconds(value));
  }
  const waiting = total(values, "te_queue_size");
  chart("waiting", waiting, formatNumber(waiting));
  element("queues").replaceChildren(...CLASSES.map((name) => {
    const label = `class="${name}"`;
    const cells = [
      formatNumber(values.get(`bertd_queue_items{${label}}`)),
      formatNumber(values.get(`bertd_queue_tokens{${label}}`)),
      formatSeconds(latency(0.5, "bertd_request_seconds", label)),
      formatSeconds(latency(0.95, "bertd_request_seconds", label)),
    ];
    return make("tr", {}, make("th", { scope: "row", textContent: name }),
      ...cells.map((textContent) => make("td", { textContent })));
  }));
}

function announce(words) {
  element("announcement").textContent = words;
}

function showState(state, words) {
  const badge = element("state");
  if (badge.textContent === words) return;
  badge.dataset.state = state;
  badge.textContent = words;
}

const cards = new Map(); // by a board's name

function makeCard(board) {
  const card = {
    node: make("li", { className: "panel board" }),
    badge: make("span", { className: "badge" }),
    load: make("progress", { max: 1 }),
    facts: make("dl"),
    error: make("p", { className: "error" }),
  };
  card.load.setAttribute("aria-label", `Load of ${board.name}`);
  card.node.dataset.board = board.name;
  card.node.append(
    make("div", { className: "head" }, make("h3", { textContent: `${board.name} (${board.kind})` }), card.badge),
    card.load, card.facts, card.error);
  return card;
}

function showBoard(board) {
  const card = cards.get(board.name) || makeCard(board);
  const out = board.state === "quarantined" || board.state === "testing";
  cards.set(board.name, card);
  if (card.out !== undefined && card.out !== out) {
    announce(out ? `${board.name} is out of service: ${board.last_error ? board.last_error.message : board.state}`
                 : `${board.name} is back in service`);
  }
  card.out = out;
  card.node.toggleAttribute("data-out", out);
  card.badge.dataset.state = board.state;
  card.badge.textContent = board.state;
  card.load.value = Math.min(1, board.busy_share);
  const facts = {
    Load: `${Math.round(100 * board.busy_share)} %`,
    Temperature: board.temperature === null ? "no sensor" : `${board.temperature} °C`,
    Queue: formatNumber(board.queue),
    "Tasks done": formatNumber(board.tasks.done),
    "Tasks failed": formatNumber(board.tasks.failed),
    "Times out of service": formatNumber(board.quarantines),
    Layers: `${board.layer_begin} to ${board.layer_end}`,
  };
  card.facts.replaceChildren(...Object.entries(facts).flatMap(([name, value]) =>
    [make("dt", { textContent: name }), make("dd", { textContent: value })]));
  const last = board.last_error;
  card.error.textContent = last ? `${last.message} (${last.time})` : "";
  card.error.hidden = !last;
  return card.node;
}

function showBoards(answer) {
  const nodes = answer.boards.map(showBoard);
  const list = element("boards");
  if (list.children.length !== nodes.length) list.replaceChildren(...nodes);
  const n = answer.boards.length;
  const state = answer.in_service === n ? "good" : answer.in_service > 0 ? "some" : "none";
  showState(state, `${answer.in_service} of ${n} board${n === 1 ? "" : "s"} in service`);
}

/* Following ------------------------------------------------------------------------------------------------------ */

let paused = false;
let waitsForKey = false;
let known = false; // what /info says

function note(words) {
  const place = element("note");
  if (place.textContent !== words) place.textContent = words;
  place.hidden = !words;
}

function askForKey(words) {
  if (waitsForKey) return;
  waitsForKey = true;
  note(words);
  showState("unknown", "API key needed");
  element("key-form").hidden = false;
}

function explain(error) {
  if (error.code === 401) askForKey(key ? "This key is not the server's." : "This server asks for an API key.");
  else if (error.code === 404) note("Boards and metrics are on this server's admin port.");
  else if (error.code) note(error.message);
  else {
    showState("away", "Not reachable");
    note("The server does not answer.");
  }
}

async function follow() {
  if (!paused && !waitsForKey && !document.hidden) {
    try {
      const [metrics, boards] = await Promise.all([ask("metrics"), ask("boards")]);
      showMetrics(parseMetrics(await metrics.text()));
      showBoards(await boards.json());
      if (!known) {
        element("model").textContent = (await (await ask("info")).json()).served_model_name;
        known = true;
      }
      note("");
    } catch (error) {
      explain(error);
    }
  }
  setTimeout(follow, PERIOD_MS);
}

/* Try it --------------------------------------------------------------------------------------------------------- */

/* Vectors of length 1. */
function dot(a, b) {
  return a.reduce((sum, value, i) => sum + value * b[i], 0);
}

function showTokens(id, tokens) {
  element(id).replaceChildren(...tokens.map((token) =>
    make("li", { className: token.special ? "special" : "", textContent: token.text, title: `id ${token.id}` })));
}

async function compare() {
  const inputs = [element("first").value, element("second").value];
  const began = performance.now();
  const answer = await ask("embed", { inputs, normalize: true });
  const [first, second] = await answer.json();
  const took = performance.now() - began;
  const cut = Number(answer.headers.get("x-truncated-count"));
  const tokens = await (await ask("tokenize", { inputs })).json();
  element("similarity").textContent = `Similarity ${dot(first, second).toFixed(4)}`;
  element("timing").textContent =
    `Cosine of two vectors of ${first.length} values; ${took.toFixed(0)} ms, ` +
    `${answer.headers.get("x-compute-tokens")} tokens${cut ? "; a text was too long and was cut" : ""}.`;
  showTokens("first-tokens", tokens[0]);
  showTokens("second-tokens", tokens[1]);
  element("token-lists").hidden = false;
}

async function submit(event) {
  event.preventDefault();
  const button = event.target.querySelector("button");
  button.disabled = true;
  try {
    await compare();
  } catch (error) {
    if (error.code === 401) askForKey("This server asks for an API key.");
    element("similarity").textContent = "";
    element("timing").textContent = error.code === 404 ? "Embedding is not on this port." : error.message;
    element("token-lists").hidden = true;
  }
  button.disabled = false;
  button.focus();
}

/* -------------------------------------------------------------------------------------------------------------- */

element("try-form").addEventListener("submit", submit);
element("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  key = element("key").value;
  sessionStorage.setItem("bertd-key", key);
  element("key").value = "";
  element("key-form").hidden = true;
  waitsForKey = false;
  note("");
});
element("pause").addEventListener("click", () => {
  paused = !paused;
  element("pause").setAttribute("aria-pressed", String(paused));
  element("pause").textContent = paused ? "Go on" : "Pause";
});
prepareCharts();
follow();
