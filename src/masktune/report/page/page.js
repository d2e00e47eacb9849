// The page's own behaviour. Text only ever goes in as text; nothing is loaded and nothing is sent.
(() => {
  const PRINTED = 20; // Images that go onto paper.
  const SLICE = 12; // Milliseconds of drawing before the browser gets a turn.
  const data = JSON.parse(document.getElementById("page-data").textContent);
  const root = document.documentElement;

  // ---- light and dark
  const theme = document.getElementById("theme");
  const prefersDark = window.matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme || (prefersDark.matches ? "dark" : "light")) === "dark";
  const sayTheme = () => theme.setAttribute("aria-pressed", String(isDark()));
  theme.hidden = false;
  theme.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    sayTheme();
  });
  prefersDark.addEventListener("change", sayTheme);
  sayTheme();

  // ---- paper: what is folded is opened, and folded again afterwards
  let opened = [];
  window.addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details.finding:not([open])")];
    for (const one of opened) one.open = true;
    finish();
  });
  window.addEventListener("afterprint", () => {
    for (const one of opened) one.open = false;
  });

  // ---- drawing
  const SCALE = [[20, 11, 53], [101, 21, 110], [186, 54, 85], [237, 105, 37], [251, 180, 26], [252, 255, 164]]; // Inferno.

  // One 32-bit pixel for each of 256 values: over a picture the fainter the lower, on bare ground opaque.
  function palette(opacity) {
    const bytes = new Uint8ClampedArray(4 * 256);
    for (let at = 0; at < 256; at++) {
      const place = (at / 255) * (SCALE.length - 1);
      const first = Math.min(Math.floor(place), SCALE.length - 2);
      SCALE[first].forEach((from, channel) => {
        bytes[4 * at + channel] = from + (SCALE[first + 1][channel] - from) * (place - first);
      });
      bytes[4 * at + 3] = opacity(at / 255);
    }
    return new Uint32Array(bytes.buffer);
  }
  const OVER = palette((value) => 40 + 165 * value);
  const BARE = palette(() => 255);
  const BLACK = new Uint32Array(new Uint8ClampedArray([0, 0, 0, 255]).buffer)[0];
  const small = document.createElement("canvas");

  function paint(card, values, hidden, drawn) {
    const [height, width] = card.map.size;
    const image = new ImageData(width, height);
    const pixels = new Uint32Array(image.data.buffer);
    const colours = card.bare ? BARE : OVER;
    for (let at = 0; at < pixels.length; at++) {
      if (drawn.mask && hidden[at]) pixels[at] = BLACK;
      else if (drawn.heat) pixels[at] = colours[(values[at] * 255 + 0.5) | 0];
    }
    const scale = Math.max(1, Math.ceil(224 / Math.max(height, width)));
    [card.canvas.width, card.canvas.height] = [width * scale, height * scale];
    const brush = card.canvas.getContext("2d");
    if (scale === 1) brush.putImageData(image, 0, 0);
    else {
      [small.width, small.height] = [width, height];
      small.getContext("2d").putImageData(image, 0, 0);
      brush.imageSmoothingEnabled = false;
      brush.drawImage(small, 0, 0, width * scale, height * scale);
    }
    if (drawn.mask || drawn.line) edge(brush, hidden, width, height, scale);
  }

  // A line around what is hidden: black on a black picture shows nothing.
  function edge(brush, hidden, width, height, scale) {
    const line = (x, y, toX, toY) => {
      brush.moveTo(x * scale, y * scale);
      brush.lineTo(toX * scale, toY * scale);
    };
    brush.beginPath();
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const at = y * width + x;
        if (!hidden[at]) continue;
        if (x === 0 || !hidden[at - 1]) line(x, y, x, y + 1);
        if (x === width - 1 || !hidden[at + 1]) line(x + 1, y, x + 1, y + 1);
        if (y === 0 || !hidden[at - width]) line(x, y, x + 1, y);
        if (y === height - 1 || !hidden[at + width]) line(x, y + 1, x + 1, y + 1);
      }
    }
    brush.strokeStyle = "#4ee1ff";
    brush.lineWidth = 2;
    brush.stroke();
  }

  // ---- gallery
  const form = document.getElementById("filters");
  let waiting = [];
  let timer = 0;

  // The level that is drawn: the scan's own until the slider is moved, for it may lie between two steps.
  function level(card) {
    const { kind, own } = data.slider;
    if (atOwn()) return kind === "other" ? card.recorded : own;
    return Number(form.elements.level.value) / (kind === "sigmas" ? 1 : 100);
  }
  const atOwn = () => Number(form.elements.level.value) === Number(form.elements.level.defaultValue);

  function finish() {
    while (waiting.length) waiting.shift().draw();
  }

  function work() {
    const until = performance.now() + SLICE;
    while (waiting.length && performance.now() < until) waiting.shift().draw();
    timer = waiting.length ? setTimeout(work, 0) : 0;
    root.dataset.drawn = String(!waiting.length);
    if (!waiting.length) performance.mark("drawn");
  }

  function drawCard(card) {
    if (!card.low) card.low = decode(card.map);
    const values = enlarge(card.low, card.map.shape, card.map.size);
    const { hidden, share } = hide(card.low, values, card.map, data.slider, level(card));
    card.share.textContent = `${(100 * share).toFixed(1)} %`;
    card.share.dataset.share = share;
    paint(card, values, hidden, { heat: form.elements.heat.checked, mask: form.elements.mask.checked });
  }

  function redraw(cards) {
    const inView = (card) => {
      const box = card.item.getBoundingClientRect();
      return box.height > 0 && box.bottom > 0 && box.top < window.innerHeight;
    };
    const [first, rest] = [[], []];
    for (const card of cards) (inView(card) ? first : rest).push(card);
    waiting = [...first, ...rest];
    root.dataset.drawn = "false";
    if (!timer) timer = setTimeout(work, 0);
  }

  function gallery() {
    const items = document.querySelectorAll("#cards > .card");
    const cards = data.cards.map((card, at) => {
      const item = items[at];
      const picture = item.querySelector(".picture");
      const canvas = document.createElement("canvas");
      canvas.setAttribute("aria-hidden", "true");
      picture.append(canvas);
      const made = { ...card, item, canvas, bare: !picture.querySelector("img"), share: item.querySelector(".share"), text: card.id.toLowerCase() };
      made.draw = () => drawCard(made);
      return made;
    });
    const wanted = form.elements;

    function fits(card) {
      const [least, most] = [wanted.least, wanted.most].map((input) => Number(input.value) / 100);
      return (
        (!wanted.label.value || card.label === wanted.label.value) &&
        (!wanted.predicted.value || card.predicted === wanted.predicted.value) &&
        (!wanted.changed.value || card.changed === (wanted.changed.value === "yes")) &&
        (!wanted.finding.value || card.findings.includes(wanted.finding.value)) &&
        card.confidence >= least - 1e-9 &&
        card.confidence <= (wanted.most.value === "" ? 1 : most) + 1e-9 &&
        card.text.includes(wanted.text.value.trim().toLowerCase())
      );
    }

    function filter() {
      let count = 0;
      for (const card of cards) {
        const fit = fits(card);
        card.item.hidden = !fit;
        if (fit) count++;
        card.item.classList.toggle("beyond", count > PRINTED);
      }
      document.getElementById("shown").textContent = `${count} of ${cards.length} images`;
      document.getElementById("cut").hidden = count <= PRINTED;
    }

    form.addEventListener("input", (event) => {
      if (["heat", "mask", "level"].includes(event.target.name)) {
        wanted.said.value = atOwn() ? data.slider.said : Number(wanted.level.value).toFixed(1);
        redraw(cards);
      } else filter();
    });
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("reset", (event) => {
      event.preventDefault(); // Only what is chosen goes back, not what is drawn.
      for (const name of ["label", "predicted", "changed", "finding", "text"]) wanted[name].value = "";
      [wanted.least.value, wanted.most.value] = ["0", "100"];
      filter();
    });
    for (const link of document.querySelectorAll("a[data-finding]")) {
      link.addEventListener("click", (event) => {
        event.preventDefault();
        form.reset();
        wanted.finding.value = link.dataset.finding;
        filter();
        const title = document.getElementById("gallery-title");
        title.scrollIntoView();
        title.focus({ preventScroll: true });
      });
    }
    form.hidden = false;
    filter();
    redraw(cards);
  }

  // ---- pictures before and after, a map over each
  const choice = document.getElementById("pairs");

  function pairs() {
    const sides = [...document.querySelectorAll(".pair")].flatMap((item, at) => {
      const picture = item.querySelector("img");
      const old = { map: data.pairs[at][0] };
      return [...item.querySelectorAll(".picture")].map((place, side) => {
        if (picture && side) place.append(copyOf(picture));
        const canvas = document.createElement("canvas");
        canvas.setAttribute("aria-hidden", "true");
        place.append(canvas);
        const made = { map: data.pairs[at][side], item, canvas, bare: !picture };
        made.draw = () => {
          made.values ||= enlarge(decode(made.map), made.map.shape, made.map.size);
          const { heat, line } = choice.elements;
          const lined = Boolean(line && line.checked);
          paint(made, made.values, lined ? hiddenOf(old) : null, { heat: heat.checked, line: lined });
        };
        return made;
      });
    });
    choice.addEventListener("input", () => redraw(sides));
    choice.addEventListener("submit", (event) => event.preventDefault());
    choice.hidden = false;
    redraw(sides);
  }

  // What the trial hides where the old model looks: the same on both sides.
  function hiddenOf(old) {
    if (!old.hidden) {
      const low = decode(old.map);
      old.hidden = hide(low, enlarge(low, old.map.shape, old.map.size), old.map, data.cut, data.cut.own).hidden;
    }
    return old.hidden;
  }

  // The second of two equal pictures is not in the file; whoever hears the page has had its words.
  function copyOf(picture) {
    const copy = picture.cloneNode();
    copy.alt = "";
    return copy;
  }

  if (form) gallery();
  else if (choice) pairs();
  else root.dataset.drawn = "true";
})();
