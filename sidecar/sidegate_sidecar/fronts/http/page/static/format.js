// Numbers and times, as people read them.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const tenths = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });

export const count = (value) => whole.format(value);

/** A number a second: with a decimal where it is small. */
export const rate = (value) => (value < 10 ? tenths : whole).format(value);

/** A part of a whole, 0 to 1; what is there is never shown as nothing, nor as all. */
export function percent(part) {
  if (part > 0 && part < 0.001) return "<\u00a00.1\u00a0%";
  if (part < 1 && part > 0.999) return ">\u00a099.9\u00a0%";
  return `${tenths.format(part * 100)}\u00a0%`;
}

/** A time in seconds, by its two largest units. */
export function duration(seconds) {
  if (seconds < 1) return `${Math.ceil(seconds * 1000)} ms`;
  const units = [["d", 86_400], ["h", 3_600], ["min", 60], ["s", 1]];
  const first = units.findIndex(([, size]) => seconds >= size);
  const [name, size] = units[first];
  const rest = units[first + 1];
  const more = rest ? Math.floor((seconds % size) / rest[1]) : 0;
  return `${Math.floor(seconds / size)} ${name}${more ? ` ${more} ${rest[0]}` : ""}`;
}

export const clock = (seconds) => new Date(seconds * 1000).toLocaleTimeString("en-GB");

/** A time of day to the minute: "12:03". */
export const minute = (seconds) => clock(seconds).slice(0, 5);

/** "1 node", "2 nodes". */
export const many = (number, one, more = `${one}s`) => `${count(number)} ${number === 1 ? one : more}`;

/** "a", "a and b", "a, b and 3 more". */
export function names(all, most = 3) {
  const shown = all.slice(0, most);
  const rest = all.length - shown.length;
  if (rest) return `${shown.join(", ")} and ${rest} more`;
  return shown.length > 1 ? `${shown.slice(0, -1).join(", ")} and ${shown.at(-1)}` : `${shown}`;
}
