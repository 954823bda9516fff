/** A value for people: four significant digits, a true minus sign, powers of ten only where they are shorter. */
export function formatNumber(value: number, digits = 4): string {
  if (!Number.isFinite(value)) return String(value);
  if (value === 0) return "0";
  const magnitude = Math.abs(value);
  const text = magnitude >= 1e6 || magnitude < 1e-4 ? value.toExponential(digits - 1) : plain(value, digits);
  return text.replaceAll("-", "−");
}

/** A spread beside its value: two significant digits. */
export function formatSpread(value: number): string {
  return formatNumber(value, Math.abs(value) < 1 ? 3 : 2);
}

/** A difference: as {@link formatNumber}, with its sign always shown. */
export function formatSigned(value: number, digits = 3): string {
  const text = formatNumber(value, digits);
  return value > 0 ? `+${text}` : text;
}

/** A share as per cent with one decimal and its sign: 0.0523 → `+5.2 %`. */
export function formatPercent(share: number): string {
  const percent = share * 100;
  const text = Math.abs(percent) >= 1000 ? formatCount(Math.round(Math.abs(percent))) : Math.abs(percent).toFixed(1);
  if (text === "0.0") return "0.0 %";
  return `${percent > 0 ? "+" : "−"}${text} %`;
}

/** Whole numbers in groups of three: 1281167 → `1,281,167`. */
export function formatCount(count: number): string {
  return count.toLocaleString("en-US");
}

/** Seconds → `12 ms`, `0.85 s`, `48 s`, `3 min 20 s`, `2 h 5 min`. */
export function formatSeconds(seconds: number): string {
  if (seconds < 0.0995) return `${formatNumber(seconds * 1000, 2)} ms`;
  if (seconds < 9.95) return `${seconds.toFixed(seconds < 0.995 ? 2 : 1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

function plain(value: number, digits: number): string {
  const magnitude = Math.abs(value);
  if (magnitude < 1) return value.toPrecision(Math.max(1, digits - 1));
  return value.toFixed(Math.max(0, digits - 1 - Math.floor(Math.log10(magnitude))));
}
