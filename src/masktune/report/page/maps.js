"use strict";
// Maps as the page gets them, enlarged and cut as Python does it. Pure functions; page.js comes after them.
const EPS = 1e-7; // As in masktune.saliency.cam.

const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

function halfToNumber(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const power = (bits >> 10) & 31;
  const part = bits & 1023;
  return sign * (power ? 2 ** (power - 15) * (1 + part / 1024) : 2 ** -24 * part);
}

function decode(map) {
  const bytes = bytesOf(map.values);
  if (map.kind === "root") return Float32Array.from(bytes, (byte) => (byte / 255) ** 2);
  const view = new DataView(bytes.buffer);
  return Float32Array.from({ length: bytes.length / 2 }, (_, at) => halfToNumber(view.getUint16(2 * at, true)));
}

// Where each of `long` pixels reads among `short` cells: PyTorch's bilinear with align_corners=False.
function taps(short, long) {
  return Array.from({ length: long }, (_, at) => {
    const place = Math.max(0, ((at + 0.5) * short) / long - 0.5);
    const first = Math.min(Math.floor(place), short - 1);
    return { first, second: Math.min(first + 1, short - 1), part: place - first };
  });
}

// As masktune.saliency.enlarge: bilinear, then stretched to 0..1.
function enlarge(low, [h, w], [height, width]) {
  const values = new Float32Array(height * width);
  const [rows, columns] = [taps(h, height), taps(w, width)];
  const line = new Float64Array(w);
  let [lowest, highest, at] = [Infinity, -Infinity, 0];
  for (const row of rows) {
    for (let x = 0; x < w; x++) {
      line[x] = low[row.first * w + x] * (1 - row.part) + low[row.second * w + x] * row.part;
    }
    for (const tap of columns) {
      values[at] = line[tap.first] * (1 - tap.part) + line[tap.second] * tap.part;
      const value = values[at++]; // As rounded: the lowest has to become exactly 0, which is not positive.
      if (value < lowest) lowest = value;
      if (value > highest) highest = value;
    }
  }
  const reach = highest - lowest + EPS;
  for (at = 0; at < values.length; at++) values[at] = (values[at] - lowest) / reach;
  return values;
}

// What lies above a bound. Plain loops here and below: they run over ten million pixels while a page opens.
function above(values, bound) {
  const hidden = new Uint8Array(values.length);
  for (let at = 0; at < values.length; at++) if (values[at] > bound) hidden[at] = 1;
  return hidden;
}

// As masktune.masking.MeanPlusStd, measured from the peak.
function meanPlusStd(values, k, over) {
  const least = over === "all" ? -1 : 0; // Values are 0 to 1.
  let [peak, count, sum, squares] = [0, 0, 0, 0];
  for (let at = 0; at < values.length; at++) if (values[at] > peak) peak = values[at];
  for (let at = 0; at < values.length; at++) {
    if (values[at] > least) {
      count++;
      sum += values[at] - peak;
    }
  }
  const mean = sum / count;
  for (let at = 0; at < values.length; at++) if (values[at] > least) squares += (values[at] - peak - mean) ** 2;
  // Without such values it is not a number, and no comparison with it is true: nothing is hidden.
  const bound = mean + k * Math.sqrt(squares / count);
  const hidden = new Uint8Array(values.length);
  for (let at = 0; at < values.length; at++) if (values[at] > least && values[at] - peak > bound) hidden[at] = 1;
  return hidden;
}

// As masktune.masking.Quantile.
function quantile(values, q, over) {
  const ranked = Float32Array.from(values).sort();
  const last = ranked.length - 1;
  let first = 0;
  if (over === "positive") while (first <= last && ranked[first] <= 0) first++;
  const place = Math.min(first + q * (last - first), last);
  const lower = Math.floor(place);
  const part = ranked[Math.min(lower + 1, last)] - ranked[lower];
  return above(values, Math.fround(ranked[lower] + (place - lower) * part));
}

// As masktune.masking.top_pixels: of equal values the upper left ones; never one that is not positive.
function topPixels(values, count) {
  const hidden = new Uint8Array(values.length);
  const positive = Float32Array.from(values.filter((value) => value > 0)).sort();
  const wanted = Math.min(count, positive.length);
  if (wanted < 1) return hidden;
  const smallest = positive[positive.length - wanted];
  let equal = wanted;
  for (let at = 0; at < values.length; at++) if (values[at] > smallest) equal--;
  for (let at = 0; at < values.length; at++) {
    if (values[at] > smallest || (values[at] === smallest && equal-- > 0)) hidden[at] = 1;
  }
  return hidden;
}

// As Python rounds: halves go to the even number.
function rounded(value) {
  const lower = Math.floor(value);
  if (value - lower !== 0.5) return Math.round(value);
  return lower % 2 ? lower + 1 : lower;
}

function hiddenAt(values, { kind, fields }, level) {
  if (kind === "sigmas") return meanPlusStd(values, level, fields.over);
  if (kind === "quantile") return quantile(values, level, fields.over);
  return topPixels(values, rounded(level * values.length));
}

function areaOf(hidden) {
  let area = 0;
  for (let at = 0; at < hidden.length; at++) area += hidden[at];
  return area;
}

// Each cell over the pixels that it stands for, as PyTorch's "nearest" enlarges.
function spread(cells, [h, w], [height, width]) {
  const hidden = new Uint8Array(height * width);
  for (let y = 0, at = 0; y < height; y++) {
    const row = Math.min(Math.floor((y * h) / height), h - 1) * w;
    for (let x = 0; x < width; x++) hidden[at++] = cells[row + Math.min(Math.floor((x * w) / width), w - 1)];
  }
  return hidden;
}

// What a threshold hides: `values` is the map at the size of the picture, `low` at that of the layer; `level` is
// in standard deviations, or a share.
function hide(low, values, map, slider, level) {
  const cells = slider.fields.at === "map";
  let hidden = hiddenAt(cells ? low : values, slider, level);
  const most = slider.fields.most;
  if (most !== null && most !== undefined) {
    hidden = topPixels(cells ? low : values, Math.min(areaOf(hidden), Math.floor(most * hidden.length)));
  }
  if (cells) hidden = spread(hidden, map.shape, map.size);
  return { hidden, share: areaOf(hidden) / hidden.length };
}
