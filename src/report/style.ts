import { ARM_COLOURS, INK } from "./arm-colours.js";

const lightDark = ([light, dark]: readonly [string, string]): string => `light-dark(${light}, ${dark})`;

/** The style of a report: light and dark, screen and print; no font or picture from outside. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --page: light-dark(#fcfcfb, #14161a); --panel: light-dark(#ffffff, #1a1d22); --ink: ${lightDark(INK)};
  --soft: light-dark(#5b6069, #a2a8b1); --line: light-dark(#dcdde0, #343941); --strong: light-dark(#1b1d22, #cfd3d8);
  --accent: light-dark(#0b5fa5, #7ec0ff); --good: light-dark(#0a6b3d, #6fd49b); --bad: light-dark(#a8321a, #ff9d82);
  --best: light-dark(#e9f4ec, #17301f); --tint: light-dark(#f3f4f5, #20242a);
  ${ARM_COLOURS.map((colour, i) => `--series-${i + 1}: ${lightDark(colour)};`).join(" ")}
}
:root[data-theme="light"] { color-scheme: light; }
:root[data-theme="dark"] { color-scheme: dark; }
* { box-sizing: border-box; }
[hidden] { display: none !important; }
html { scroll-behavior: smooth; -webkit-text-size-adjust: 100%; }
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.55 "Inter", "Source Sans 3", system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
  font-feature-settings: "tnum"; font-variant-numeric: tabular-nums;
}
main, header, footer { max-width: 1200px; margin: 0 auto; padding: 0 28px; }
header { padding-top: 44px; }
.skip { position: absolute; left: -9999px; }
.skip:focus { left: 12px; top: 12px; background: var(--panel); padding: 6px 12px; z-index: 2; }
a { color: var(--accent); text-underline-offset: 2px; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.kicker { font-size: 13px; letter-spacing: .09em; text-transform: uppercase; color: var(--soft); margin: 0; }
h1 { font-size: 34px; line-height: 1.15; letter-spacing: -.015em; margin: 6px 0 10px; font-weight: 680; overflow-wrap: anywhere; }
h2 { font-size: 23px; letter-spacing: -.01em; margin: 56px 0 6px; font-weight: 660; scroll-margin-top: 20px; }
h3 { font-size: 17px; margin: 30px 0 6px; font-weight: 640; overflow-wrap: anywhere; }
p { margin: 8px 0; max-width: 76ch; }
.facts { color: var(--soft); margin: 0; max-width: none; font-size: 15px; }
.facts span + span::before { content: "·"; margin: 0 .5em; }
.verdict { border-left: 4px solid var(--accent); padding: 4px 0 4px 20px; margin: 30px 0 18px; }
.verdict p { font-size: 20px; line-height: 1.45; margin: 0; max-width: 68ch; }
.verdict p + p { margin-top: 12px; }
.caveats { color: var(--soft); font-size: 15px; padding-left: 20px; margin: 8px 0 0; max-width: 92ch; }
.caveats li { margin: 3px 0; }
nav ul { list-style: none; display: flex; flex-wrap: wrap; gap: 4px 22px; padding: 12px 0; margin: 28px 0 0; border-block: 1px solid var(--line); font-size: 15px; }
nav a { text-decoration: none; }
nav a:hover { text-decoration: underline; }
.note { color: var(--soft); font-size: 14.5px; }
.scroll { position: relative; overflow-x: auto; margin: 14px 0 6px; }
table { border-collapse: collapse; width: 100%; font-size: 15px; border-block: 2px solid var(--strong); }
caption { text-align: left; color: var(--soft); font-size: 14px; padding: 0 0 9px; max-width: min(108ch, calc(100vw - 56px)); line-height: 1.45; position: sticky; left: 0; }
th, td { padding: 9px 12px; text-align: right; vertical-align: top; }
th { font-weight: 620; }
thead th { border-bottom: 1px solid var(--strong); white-space: nowrap; vertical-align: bottom; }
thead small { display: block; font-weight: 400; color: var(--soft); }
th[scope="row"], th.first { text-align: left; padding-left: 4px; }
tbody tr + tr > * { border-top: 1px solid var(--line); }
tbody tr.floor > * { border-top: 1px solid var(--strong); color: var(--soft); font-weight: 400; }
td { white-space: nowrap; }
td.text, th.text { text-align: left; white-space: normal; }
.metrics th[scope="row"] { min-width: 190px; }
td.best { background: var(--best); }
td.best data { font-weight: 700; }
td small, th small { display: block; font-size: 12.5px; line-height: 1.4; font-weight: 400; color: var(--soft); }
th[scope="row"] small { max-width: 46ch; }
small.gain { white-space: nowrap; }
td small.better, small.better { color: var(--good); }
td small.worse, small.worse { color: var(--bad); }
.none { color: var(--soft); font-style: italic; }
.name { overflow-wrap: break-word; }
td.text { overflow-wrap: break-word; }
td.hash { min-width: 36ch; }
td.hash code { overflow-wrap: anywhere; font-size: 12.5px; }
small.interval { white-space: nowrap; }
.swatch { width: 26px; height: 10px; margin-right: 8px; vertical-align: middle; overflow: visible; }
.legend { display: flex; flex-wrap: wrap; gap: 2px 22px; list-style: none; padding: 0; margin: 14px 0 4px; font-size: 14.5px; }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 400px), 1fr)); gap: 26px 34px; margin: 10px 0; }
figure { margin: 0; min-width: 0; }
figcaption { font-size: 14px; color: var(--soft); line-height: 1.45; margin-top: 6px; }
figcaption strong { color: var(--ink); font-weight: 620; overflow-wrap: anywhere; }
figure.chart { display: flex; flex-direction: column; justify-content: space-between; }
.plot svg { display: block; max-width: 100%; height: auto; color: var(--ink); }
.plot > svg { width: 100%; max-width: 620px; }
.plot.curves { min-height: 200px; cursor: crosshair; }
.plot.gains { min-height: 60px; }
input.cursor { display: block; width: calc(100% - 50px); max-width: 570px; margin: 0 0 0 50px; height: 14px; opacity: 0; }
input.cursor:focus-visible { opacity: 1; }
#tooltip { position: fixed; z-index: 9; pointer-events: none; background: var(--panel); border: 1px solid var(--line); border-radius: 6px;
  box-shadow: 0 4px 18px rgb(0 0 0 / .18); padding: 7px 10px; font-size: 13px; max-width: min(340px, 90vw); }
#tooltip dl { display: grid; grid-template-columns: 1fr auto; gap: 1px 14px; margin: 0; }
#tooltip dt { overflow-wrap: anywhere; }
#tooltip dd { margin: 0; text-align: right; }
#tooltip i { display: inline-block; width: 9px; height: 9px; border-radius: 50%; margin-right: 7px; }
button { font: inherit; color: inherit; background: none; border: 1px solid var(--line); border-radius: 5px; padding: 2px 9px; cursor: pointer; }
button:hover:not(:disabled) { border-color: var(--soft); }
button:disabled { color: var(--soft); cursor: default; }
.top { display: flex; justify-content: space-between; align-items: center; gap: 12px; }
#theme { font-size: 13.5px; white-space: nowrap; }
tbody th .name { white-space: nowrap; }
.controls { display: flex; flex-wrap: wrap; gap: 6px 24px; align-items: center; font-size: 14.5px; margin: 14px 0 4px; }
.controls label { display: inline-flex; align-items: center; gap: 6px; }
.controls output { min-width: 3.6em; }
.controls input[type="number"] { width: 6.5em; font: inherit; color: inherit; background: var(--panel); border: 1px solid var(--line); border-radius: 5px; padding: 1px 6px; }
.controls input { accent-color: var(--accent); }
.range { display: inline-flex; flex-wrap: wrap; align-items: center; gap: 6px; }
.hint { color: var(--soft); font-size: 14px; }
.legend button { border: 0; padding: 1px 4px; margin-left: -4px; }
.legend button[aria-pressed="false"] { text-decoration: line-through; color: var(--soft); }
.legend button[aria-pressed="false"] .swatch { opacity: .25; }
button.sort { border: 0; padding: 0; margin: 0; text-align: inherit; font-weight: inherit; border-radius: 2px; }
button.sort::after { content: "↕"; color: var(--soft); font-weight: 400; margin-left: 5px; opacity: .55; }
[aria-sort="ascending"] > button.sort::after { content: "▲"; opacity: 1; color: var(--accent); }
[aria-sort="descending"] > button.sort::after { content: "▼"; opacity: 1; color: var(--accent); }
th:has(> button.sort) abbr { text-decoration: none; }
.copy { display: flex; flex-wrap: wrap; gap: 6px; align-items: center; font-size: 13px; color: var(--soft); margin: 0 0 18px; }
.copy button { color: var(--ink); padding: 0 8px; }
.copy textarea { width: 100%; height: 9em; font: 12.5px/1.4 ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; color: inherit; background: var(--tint); border: 1px solid var(--line); }
button.enlarge { border: 0; padding: 0; border-radius: 2px; display: block; width: 100%; cursor: zoom-in; }
.targets button.enlarge { width: auto; margin: 0 auto; }
dialog.viewer { border: 0; padding: 14px; border-radius: 8px; background: var(--page); color: var(--ink); max-width: 96vw; max-height: 96vh; }
dialog.viewer::backdrop { background: rgb(0 0 0 / .72); }
dialog.viewer img { display: block; image-rendering: pixelated; width: min(92vw, calc((94vh - 110px) * var(--ratio))); height: auto; background: #fff; }
dialog.viewer p { margin: 10px 0; font-size: 14px; max-width: 100%; }
dialog.viewer div { display: flex; gap: 8px; }
dialog.viewer div button:last-child { margin-left: auto; }
.live { font-size: 14px; color: var(--soft); }
.progress { list-style: none; padding: 0; margin: 12px 0 0; display: grid; grid-template-columns: max-content minmax(80px, 220px) 1fr; gap: 2px 14px; font-size: 14px; align-items: center; }
.progress li { display: contents; }
.progress progress { width: 100%; height: 9px; accent-color: var(--accent); }
#live::before { content: "●"; margin-right: 6px; }
#live[data-state="open"]::before { color: var(--good); }
#live[data-state="lost"]::before { color: var(--bad); }
figure.chart figcaption { margin: 0 0 4px; }
.sheets { display: grid; grid-template-columns: repeat(auto-fill, minmax(max(230px, (100% - 20px * (var(--columns) - 1)) / var(--columns) - 1px), 1fr)); gap: 26px 20px; margin: 16px 0; }
.sheets img { width: 100%; height: auto; image-rendering: pixelated; display: block; border: 1px solid var(--line); background: #fff; }
.reels { display: grid; gap: 22px; margin: 14px 0; }
.reel .reel-pictures { display: flex; flex-wrap: wrap; gap: 12px 26px; align-items: flex-start; margin-top: 6px; }
.frame { width: calc(var(--columns) * var(--cell)); max-width: 100%; background: var(--tint); }
.frame img, .maps .row { display: block; width: 100%; height: auto; image-rendering: pixelated; }
[data-playing] .frame { overflow: hidden; aspect-ratio: var(--columns) / var(--rows); }
[data-playing] .frame img { transform: translateY(calc(var(--at) * -100% / var(--frames))); }
.reel { --cell: 64px; }
.maps { display: grid; grid-template-columns: 110px minmax(0, auto); column-gap: 10px; font-size: 12.5px; color: var(--soft); line-height: 1.25; }
.maps .labels { display: grid; grid-auto-rows: var(--cell); }
.maps .labels span { display: flex; align-items: center; justify-content: flex-end; text-align: right; overflow-wrap: anywhere; }
.maps .row { width: calc(var(--columns) * var(--cell)); max-width: 100%; }
.maps .row img { display: block; width: 100%; height: auto; image-rendering: pixelated; }
@media (max-width: 640px) { .reel { --cell: 40px; } }
.targets { margin: 14px 0; width: auto; border: 0; }
.targets img { margin: 0 auto; }
.targets th, .targets td { padding: 3px 5px; border: 0; text-align: center; }
.targets tbody tr + tr > * { border: 0; }
.targets thead th { border: 0; font-size: 12px; font-weight: 400; line-height: 1.3; color: var(--soft); white-space: normal; width: 122px; min-width: 122px; max-width: 122px; overflow-wrap: anywhere; }
.targets th[scope="row"] { text-align: left; vertical-align: middle; padding-right: 14px; font-size: 14px; }
.targets img { width: 112px; height: 112px; image-rendering: pixelated; display: block; border-radius: 2px; }
.bar { display: flex; align-items: center; gap: 10px; font-size: 13.5px; color: var(--soft); }
.bar i { width: 180px; height: 12px; border-radius: 2px; print-color-adjust: exact; -webkit-print-color-adjust: exact;
  background: linear-gradient(90deg, #440154, #482878, #3e4989, #31688e, #26828e, #1f9e89, #35b779, #6ece58, #b5de2b, #fde725); }
details { margin: 12px 0; border: 1px solid var(--line); border-radius: 6px; background: var(--panel); }
summary { padding: 9px 14px; cursor: pointer; font-weight: 560; font-size: 15px; overflow-wrap: anywhere; }
details > :not(summary) { margin-inline: 14px; }
pre { overflow-x: auto; background: var(--tint); padding: 12px 14px; border-radius: 6px; font: 13px/1.5 ui-monospace, "SFMono-Regular", "Cascadia Mono", "DejaVu Sans Mono", Menlo, Consolas, monospace; margin: 10px 0 14px; tab-size: 2; }
code { font: .9em ui-monospace, "SFMono-Regular", "DejaVu Sans Mono", Menlo, Consolas, monospace; background: var(--tint); padding: 1px 5px; border-radius: 4px; overflow-wrap: break-word; }
th code { white-space: nowrap; }
pre code { padding: 0; background: none; font-size: 1em; overflow-wrap: normal; }
.cite { padding-left: 20px; font-size: 15px; }
.cite li { margin: 5px 0; }
footer { color: var(--soft); font-size: 14px; margin-top: 60px; padding-top: 14px; padding-bottom: 40px; }
footer::before { content: ""; display: block; border-top: 1px solid var(--line); margin-bottom: 14px; }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
@media (max-width: 640px) { main, header, footer { padding-inline: 16px; } h1 { font-size: 27px; } .verdict p { font-size: 18px; } }
@media print {
  :root, :root[data-theme] { color-scheme: light; --page: #fff; --panel: #fff; --ink: #000; --soft: #444; --line: #ccc; --strong: #000; }
  body { font-size: 10pt; }
  h1 { font-size: 22pt; }
  h2 { font-size: 14pt; margin-top: 26pt; }
  .verdict p { font-size: 12.5pt; }
  table, .note, .caveats { font-size: 8.5pt; }
  caption, figcaption { font-size: 8pt; max-width: none; position: static; }
  td small, th small { font-size: 7pt; }
  th, td { padding: 4pt 6pt; }
  .metrics th[scope="row"] { min-width: 0; }
  main, header, footer { padding: 0; max-width: none; }
  .charts { grid-template-columns: 1fr 1fr; gap: 14pt; }
  .sheets { grid-template-columns: repeat(4, 1fr); gap: 8pt; }
  .reel { --cell: 34pt; break-inside: auto; }
  [data-playing] .frame { overflow: visible; aspect-ratio: auto; }
  [data-playing] .frame img { transform: none; }
  .targets img { width: 72pt; height: 72pt; }
  .targets thead th { min-width: 76pt; width: 76pt; }
  nav, .skip, .controls, .copy, .hint, #theme, input.cursor, .live, .progress { display: none !important; }
  button { border: 0; padding: 0; }
  button.sort::after { content: none; }
  figure, tr, .verdict { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
  details { border: 0; }
  details::details-content { content-visibility: visible; block-size: auto; }
  pre { white-space: pre-wrap; overflow-wrap: anywhere; }
  td.best { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  .scroll { overflow: visible; }
}
`;
