// chart.cpp - charts in SVG: bars and lines.
//
// SPDX-License-Identifier: MIT
#include "chart.hpp"

#include "axis.hpp"
#include "format.hpp"

#include <algorithm>
#include <set>
#include <vector>

namespace compare {
namespace {

std::string number(double value) {
    // Places in a drawing: a tenth of a pixel is enough.
    const long tenths = static_cast<long>(value * 10 + (value < 0 ? -0.5 : 0.5));
    const std::string sign = tenths < 0 ? "-" : "";
    const long size = tenths < 0 ? -tenths : tenths;
    return sign + std::to_string(size / 10) + "." + std::to_string(size % 10);
}

std::string line(const char* kind, double x1, double y1, double x2, double y2) {
    return std::string("<line class=\"") + kind + "\" x1=\"" + number(x1) + "\" y1=\"" +
           number(y1) + "\" x2=\"" + number(x2) + "\" y2=\"" + number(y2) + "\"/>\n";
}

/// `anchor` is start, middle or end.
std::string text(const char* kind, double x, double y, const char* anchor,
                 std::string_view content) {
    return std::string("<text class=\"") + kind + "\" x=\"" + number(x) + "\" y=\"" + number(y) +
           "\" text-anchor=\"" + anchor + "\">" + escaped(content) + "</text>\n";
}

/// The beginning of a drawing. The title is what a screen reader says, with what is in it.
std::string begin_svg(double width, double height, const std::string& title,
                      const std::string& description) {
    return "<svg role=\"img\" viewBox=\"0 0 " + number(width) + " " + number(height) +
           "\" aria-label=\"" + escaped(title + ": " + description) + "\">\n<title>" +
           escaped(title) + "</title>\n<desc>" + escaped(description) + "</desc>\n";
}

/// Where a model was: each has a shape of its own, for those who do not see the colours.
std::string marker(Model model, double x, double y, const std::string& says) {
    const std::string kind = "class=\"point " + std::string(model_names[model]) + "\"";
    const std::string title = "><title>" + escaped(says) + "</title>";
    switch (model) {
        case Model::asyncio:
            return "<circle " + kind + " cx=\"" + number(x) + "\" cy=\"" + number(y) +
                   "\" r=\"4\"" + title + "</circle>\n";
        case Model::threads:
            return "<rect " + kind + " x=\"" + number(x - 3.5) + "\" y=\"" + number(y - 3.5) +
                   "\" width=\"7\" height=\"7\"" + title + "</rect>\n";
        default:
            return "<path " + kind + " d=\"M" + number(x) + " " + number(y - 5) + "L" +
                   number(x + 5) + " " + number(y + 4) + "L" + number(x - 5) + " " + number(y + 4) +
                   "Z\"" + title + "</path>\n";
    }
}

std::string described(const PerModel<double>& values, const std::string& unit) {
    std::string words;
    for (const Model model : models) {
        words += (words.empty() ? "" : ", ") + std::string(model_names[model]) + " " +
                 quantity(values[model]) + " " + unit;
    }
    return words;
}

std::string described(const Job& job) {
    std::string words;
    for (const Model model : models) {
        const Point last = job.series[model].back();
        words += (words.empty() ? "" : ", ") + count_of(last.units, unit_names[model]) + " " +
                 duration(last.seconds);
    }
    return words;
}

// --- Lines -------------------------------------------------------------------------------------

constexpr double line_width = 640;
constexpr double line_height = 360;
constexpr double left = 64;
constexpr double right = line_width - 16;
constexpr double top = 36;
constexpr double bottom = line_height - 48;

std::string legend() {
    std::string drawing;
    double x = left + 8;
    for (const Model model : models) {
        drawing += marker(model, x, 14, std::string(model_names[model]));
        drawing += text("label", x + 10, 18, "start", model_names[model]);
        x += 110;
    }
    return drawing;
}

std::string curve(Model model, const std::vector<Point>& points, const Axis& x, const Axis& y) {
    std::string places;
    std::string markers;
    for (const Point& point : points) {
        const double px = x.place(point.units);
        const double py = y.place(point.seconds);
        places += (places.empty() ? "" : " ") + number(px) + "," + number(py);
        markers +=
            marker(model, px, py,
                   count_of(point.units, unit_names[model]) + ": " + duration(point.seconds));
    }
    return "<polyline class=\"curve " + std::string(model_names[model]) + "\" points=\"" + places +
           "\"/>\n" + markers;
}

}  // namespace

std::string escaped(std::string_view text) {
    std::string result;
    for (const char c : text) {
        switch (c) {
            case '&':
                result += "&amp;";
                break;
            case '<':
                result += "&lt;";
                break;
            case '>':
                result += "&gt;";
                break;
            case '"':
                result += "&quot;";
                break;
            default:
                result += c;
        }
    }
    return result;
}

std::string bar_chart(const std::string& title, const std::string& unit,
                      const PerModel<double>& values, AxisKind kind) {
    constexpr double width = 420;
    constexpr double height = 168;
    constexpr double begin = 84;
    constexpr double end = width - 84;  // behind the bars there is room for a number
    constexpr double base = height - 24;
    const double least = std::min({values.asyncio, values.threads, values.processes});
    const double most = std::max({values.asyncio, values.threads, values.processes});
    // From a tenth of the least, or that bar would have no length.
    const Axis axis = kind == AxisKind::linear ? Axis::linear(most, begin, end)
                                               : Axis::logarithmic(least / 10, most, begin, end);

    std::string drawing = begin_svg(width, height, title, described(values, unit));
    constexpr double digit = 7;  // at most as wide as this, in text of 11 pixels
    double free = 0;             // from here on no mark is written yet
    for (const double mark : axis.marks()) {
        const double x = axis.place(mark);
        drawing += line("grid", x, 8, x, base);
        const std::string written = mark_text(mark);
        const double half = digit * static_cast<double>(written.size()) / 2;
        if (x - half >= free) {  // not one over the other
            drawing += text("mark", x, base + 16, "middle", written);
            free = x + half + digit;
        }
    }
    double y = 16;
    for (const Model model : models) {
        const std::string name(model_names[model]);
        const std::string says = name + ": " + quantity(values[model]) + " " + unit;
        const double length = std::max(axis.place(values[model]) - begin, 1.0);
        drawing += text("label", begin - 8, y + 19, "end", name);
        drawing += "<rect class=\"bar " + name + "\" x=\"" + number(begin) + "\" y=\"" + number(y) +
                   "\" width=\"" + number(length) + "\" height=\"28\"><title>" + escaped(says) +
                   "</title></rect>\n";
        drawing += text("value", begin + length + 6, y + 19, "start", quantity(values[model]));
        y += 42;
    }
    return drawing + "</svg>\n";
}

std::string line_chart(const Job& job, AxisKind seconds) {
    std::set<double> counts;
    std::set<double> times;
    for (const Model model : models) {
        for (const Point& point : job.series[model]) {
            counts.insert(point.units);
            times.insert(point.seconds);
        }
    }
    const Axis x = Axis::logarithmic(*counts.begin(), *counts.rbegin(), left, right);
    const Axis y = seconds == AxisKind::linear
                       ? Axis::linear(*times.rbegin(), bottom, top)
                       : Axis::logarithmic(*times.begin(), *times.rbegin(), bottom, top);

    std::string drawing = begin_svg(line_width, line_height,
                                    job.title + ", time and number of units", described(job));
    for (const double mark : y.marks()) {
        drawing += line("grid", left, y.place(mark), right, y.place(mark));
        drawing += text("mark", left - 8, y.place(mark) + 4, "end", mark_text(mark));
    }
    for (const double count : counts) {  // what was measured is what is marked
        drawing += line("grid", x.place(count), top, x.place(count), bottom);
        drawing += text("mark", x.place(count), bottom + 18, "middle", mark_text(count));
    }
    drawing += legend();
    drawing += text("mark", (left + right) / 2, line_height - 8, "middle",
                    "units (logarithmic); upwards: seconds" +
                        std::string(seconds == AxisKind::linear ? "" : " (logarithmic)"));
    for (const Model model : models) {
        drawing += curve(model, job.series[model], x, y);
    }
    return drawing + "</svg>\n";
}

}  // namespace compare
