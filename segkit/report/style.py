"""The look of report pages."""

from __future__ import annotations

STYLE = """
:root {
  color-scheme: light dark;
  --ground: #ffffff; --raised: #f5f6f8; --ink: #1b2330; --soft: #5c6675; --line: #dfe3e9;
  --warn-ground: #fff6e0; --warn-line: #e0a100; --note-line: #7b8ba3; --bar: #2f7df699;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #14171c; --raised: #1d2128; --ink: #e6e9ee; --soft: #98a2b1; --line: #2f353f;
    --warn-ground: #2d2513; --warn-line: #d9a520; --note-line: #6c7b92; --bar: #2f7df6aa;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--ground); color: var(--ink); line-height: 1.5;
  font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Liberation Sans", Arial,
    sans-serif;
}
main { max-width: 1120px; margin: 0 auto; padding: 32px 20px 48px; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0; letter-spacing: -0.01em; }
h2 { font-size: 1.15rem; margin: 0 0 12px; }
h3 { font-size: 0.95rem; margin: 0 0 8px; }
header p { margin: 4px 0 0; color: var(--soft); }
section { margin-top: 40px; }
header + section { margin-top: 24px; }
.scores {
  display: grid; gap: 12px; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); margin: 0;
}
.scores div { background: var(--raised); border-radius: 10px; padding: 12px 16px; }
.scores dt { color: var(--soft); font-size: 0.85rem; }
.scores dd {
  margin: 2px 0 0; font-size: 1.5rem; font-weight: 650; font-variant-numeric: tabular-nums;
  line-height: 1.2;
}
.notices { list-style: none; margin: 0; padding: 0; display: grid; gap: 8px; }
.notices li {
  background: var(--raised); border-left: 4px solid var(--note-line); border-radius: 4px;
  padding: 8px 14px; overflow-wrap: anywhere;
}
.notices li.warned { background: var(--warn-ground); border-left-color: var(--warn-line); }
.curves {
  display: grid; gap: 16px; grid-template-columns: repeat(auto-fit, minmax(min(300px, 100%), 1fr));
}
.curves svg { display: block; width: 100%; height: auto; max-width: 480px; }
.curves text { font-family: inherit !important; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.9rem; font-variant-numeric: tabular-nums; }
th, td {
  padding: 6px 14px 6px 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line);
}
thead th { color: var(--soft); font-weight: 600; vertical-align: bottom; }
tbody th { font-weight: 400; color: var(--soft); }
.numbers { font-size: 0.85rem; }
.numbers th, .numbers td { text-align: right; padding: 5px; }
.numbers td { white-space: nowrap; }
.numbers th:first-child, .numbers td:first-child { text-align: left; padding-left: 0; }
.numbers td:first-child { min-width: 0; white-space: normal; }
.numbers td.share {
  min-width: 70px;
  background: linear-gradient(var(--bar), var(--bar)) no-repeat
    5px 100% / calc((100% - 10px) * var(--share)) 4px;
}
details { margin-top: 12px; }
summary { cursor: pointer; color: var(--soft); font-size: 0.9rem; padding: 4px 0; }
.facts { width: 100%; max-width: 560px; }
.facts th { width: 45%; overflow-wrap: anywhere; }
.facts td { overflow-wrap: anywhere; }
.columns { columns: 2 330px; column-gap: 40px; }
.columns > div { break-inside: avoid; padding-bottom: 24px; }
pre + .columns { margin-top: 16px; }
figure { margin: 0 0 32px; }
figcaption { font-size: 0.95rem; margin-bottom: 8px; }
.panels { display: grid; gap: 10px; grid-template-columns: repeat(4, 1fr); margin-bottom: 10px; }
@media (max-width: 720px) { .panels { grid-template-columns: repeat(2, 1fr); } }
.panel { position: relative; }
.panel img { display: block; width: 100%; height: auto; border-radius: 4px; background: var(--raised); }
.panel span { display: block; font-size: 0.8rem; color: var(--soft); margin-bottom: 2px; }
.bar {
  position: absolute; left: 8px; bottom: 8px; border-bottom: 3px solid #fff; color: #fff; text-align: center;
  font-size: 0.7rem; line-height: 1.4; white-space: nowrap; text-shadow: 0 0 3px #000, 0 0 2px #000;
  filter: drop-shadow(0 0 1px #000);
}
.legend {
  display: flex; flex-wrap: wrap; gap: 4px 20px; margin: 0 0 16px; font-size: 0.88rem; color: var(--soft);
}
.swatch { display: inline-block; width: 0.85em; height: 0.85em; border-radius: 2px; margin-right: 6px;
  vertical-align: -0.05em; border: 1px solid #0003; }
pre {
  background: var(--raised); border-radius: 8px; padding: 12px 16px; overflow-x: auto; font-size: 0.85rem;
  white-space: pre-wrap; overflow-wrap: anywhere; margin: 0;
}
footer { margin-top: 48px; color: var(--soft); font-size: 0.8rem; }
@media print { section, figure { break-inside: avoid; } }
"""
