// render_html.cpp - a comparison for a browser: one page without scripts, fonts or images.
//
// SPDX-License-Identifier: MIT
#include "chart.hpp"
#include "format.hpp"
#include "render.hpp"

#include <string_view>

namespace compare {
namespace {

// Colours and shapes: the page is drawn with the variables of the reader's scheme; on paper with
// those for light.
constexpr std::string_view style = R"css(
:root { color-scheme: light dark;
  --paper: #ffffff; --ink: #1b1f24; --faint: #5b6570; --rule: #d5dae0; --shade: #f4f6f8;
  --asyncio: #1f5fbf; --threads: #b4530f; --processes: #23795a; }
@media (prefers-color-scheme: dark) { :root {
  --paper: #14171b; --ink: #e6e9ed; --faint: #a3acb7; --rule: #363d46; --shade: #1d2229;
  --asyncio: #74a9f7; --threads: #f0a05a; --processes: #63c9a0; } }
@media print { :root { color-scheme: light;
  --paper: #ffffff; --ink: #000000; --faint: #444444; --rule: #bbbbbb; --shade: #ffffff;
  --asyncio: #1f5fbf; --threads: #b4530f; --processes: #23795a; } }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }
main { max-width: 68rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .5rem; }
h2 { font-size: 1.2rem; margin: 2.5rem 0 .5rem; }
p.machine, figcaption { color: var(--faint); }
.table { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .45rem .75rem; border-bottom: 1px solid var(--rule);
  vertical-align: top; }
thead th { border-bottom: 2px solid var(--ink); }
tbody th { font-weight: 600; }
tbody tr:nth-child(odd) { background: var(--shade); }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr));
  gap: 1.25rem; }
figure { margin: 0; break-inside: avoid; }
figure h3 { font-size: 1rem; margin: 0; }
figcaption { font-size: .85rem; }
svg { display: block; width: 100%; height: auto; }
svg text { fill: var(--ink); font-size: 13px; }
svg text.mark { fill: var(--faint); font-size: 11px; }
svg text.value { font-weight: 600; }
.grid { stroke: var(--rule); stroke-width: 1; }
.curve { fill: none; stroke-width: 2; }
rect.asyncio, circle.asyncio { fill: var(--asyncio); } .curve.asyncio { stroke: var(--asyncio); }
rect.threads { fill: var(--threads); }
.curve.threads { stroke: var(--threads); stroke-dasharray: 7 4; }
rect.processes, path.processes { fill: var(--processes); }
.curve.processes { stroke: var(--processes); stroke-dasharray: 2 3; }
dt { font-weight: 600; margin-top: .9rem; } dd { margin: 0; max-width: 46rem; }
@media print { main { max-width: none; padding: 0; } h2 { break-after: avoid; }
  svg rect, svg circle, svg path { print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
)css";

std::string table_of(const Comparison& comparison) {
    std::string html =
        "<div class=\"table\" role=\"region\" aria-label=\"Comparison\" "
        "tabindex=\"0\">\n<table>\n<thead><tr><td></td>";
    for (const Model model : models) {
        html += "<th scope=\"col\">" + std::string(model_names[model]) + "</th>";
    }
    html += "</tr></thead>\n<tbody>\n";
    for (const Row& row : comparison.rows) {
        const std::string unit = row.unit.empty() ? "" : " (" + row.unit + ")";
        html += "<tr><th scope=\"row\">" + escaped(row.title + unit) + "</th>";
        for (const Model model : models) {
            html += "<td>" + escaped(row.cells[model].text) + "</td>";
        }
        html += "</tr>\n";
    }
    return html + "</tbody>\n</table>\n</div>\n";
}

std::string figure(const std::string& title, const std::string& caption, const std::string& chart) {
    return "<figure>\n<h3>" + escaped(title) + "</h3>\n" + chart + "<figcaption>" +
           escaped(caption) + "</figcaption>\n</figure>\n";
}

/// A number of a row, as bars.
std::string bars(const Comparison& comparison, std::string_view key, std::string_view fact,
                 const std::string& title, AxisKind kind) {
    const Row& row = comparison.row(key);
    PerModel<double> values;
    for (const Model model : models) {
        values[model] = row.cells[model].number(fact);
    }
    const bool linear = kind == AxisKind::linear;
    return figure(title, row.unit + (linear ? "" : "; the axis is logarithmic"),
                  bar_chart(title, row.unit, values, kind));
}

std::string charts_of(const Comparison& comparison) {
    const auto logarithmic = AxisKind::logarithmic;
    return "<div class=\"charts\">\n" +
           bars(comparison, "context_switch", "value", "Context switch", logarithmic) +
           bars(comparison, "start", "value", "Start of a unit", logarithmic) +
           bars(comparison, "memory", "value", "Memory per unit", logarithmic) +
           bars(comparison, "parallelism", "value", "Speed-up of CPU-bound work",
                AxisKind::linear) +
           bars(comparison, "synchronisation", "lock_hand_over", "Hand-over of a lock",
                logarithmic) +
           bars(comparison, "synchronisation", "message", "Passing of a message", logarithmic) +
           "</div>\n";
}

std::string jobs_of(const Comparison& comparison) {
    return "<div class=\"charts\">\n" +
           figure(comparison.io.title, comparison.io.method,
                  line_chart(comparison.io, AxisKind::logarithmic)) +
           figure(comparison.cpu.title, comparison.cpu.method,
                  line_chart(comparison.cpu, AxisKind::linear)) +
           "</div>\n";
}

std::string notes_of(const Comparison& comparison) {
    std::string html = "<dl>\n";
    for (const Row& row : comparison.rows) {
        html += "<dt>" + escaped(row.title) + "</dt>\n<dd>" + escaped(row.method) + "</dd>\n";
    }
    return html + "</dl>\n";
}

std::string machine_of(const Comparison& comparison) {
    const Machine& machine = comparison.machine;
    return machine.system + ", " + count_of(static_cast<double>(machine.processors), "processors") +
           ", " + quantity(machine.memory_bytes / (1 << 30)) + " GiB. asyncio-cpp " +
           comparison.version + ", measured in " + duration(comparison.seconds) +
           (comparison.quick ? " (quickly: rough figures)." : ".");
}

}  // namespace

std::string as_html(const Comparison& comparison) {
    return "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
           "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
           "<link rel=\"icon\" href=\"data:,\"/>\n"
           "<title>asyncio, threads and processes</title>\n<style>" +
           std::string(style) +
           "</style>\n</head>\n<body>\n<main>\n<h1>asyncio, threads and processes</h1>\n"
           "<p class=\"machine\">" +
           escaped(machine_of(comparison)) + "</p>\n" + table_of(comparison) + "<h2>Costs</h2>\n" +
           charts_of(comparison) + "<h2>Two jobs: time and number of units</h2>\n" +
           jobs_of(comparison) + "<h2>How each value was measured</h2>\n" + notes_of(comparison) +
           "</main>\n</body>\n</html>\n";
}

}  // namespace compare
