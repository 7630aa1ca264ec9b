// render_json.cpp - a comparison for programs.
//
// The table is there twice: by column with the values alone, to compute with, and by row with
// everything that is known of them.
// SPDX-License-Identifier: MIT
#include "json.hpp"
#include "render.hpp"

#include <string>
#include <string_view>
#include <variant>

namespace compare {
namespace {

void add_fact(JsonObject& object, const Fact& fact) {
    std::visit([&](const auto& value) { object.add(fact.name, value); }, fact.value);
}

JsonObject facts_of(const Cell& cell) {
    JsonObject object;
    for (const Fact& fact : cell.facts) {
        add_fact(object, fact);
    }
    return object;
}

/// The values of a column: of each row that which it is about or, where it is about several things,
/// all of them.
JsonObject column(const Comparison& comparison, Model model) {
    JsonObject object;
    for (const Row& row : comparison.rows) {
        const Cell& cell = row.cells[model];
        if (cell.facts.front().name == "value") {
            add_fact(object, {row.key, cell.facts.front().value});
        } else {
            object.add(row.key, facts_of(cell));
        }
    }
    return object;
}

JsonObject row_object(const Row& row) {
    JsonObject object;
    object.add("title", row.title);
    object.add("unit", row.unit);
    object.add("method", row.method);
    for (const Model model : models) {
        JsonObject cell = facts_of(row.cells[model]);
        cell.add("text", row.cells[model].text);
        object.add(model_names[model], cell);
    }
    return object;
}

JsonObject job_object(const Job& job) {
    JsonObject object;
    object.add("title", job.title);
    object.add("method", job.method);
    for (const Model model : models) {
        JsonArray points;
        for (const Point& point : job.series[model]) {
            JsonObject pair;
            pair.add("units", point.units);
            pair.add("seconds", point.seconds);
            points.add(pair);
        }
        object.add(model_names[model], points);
    }
    return object;
}

}  // namespace

std::string as_json(const Comparison& comparison) {
    JsonObject object;
    for (const Model model : models) {
        object.add(model_names[model], column(comparison, model));
    }
    for (const Row& row : comparison.rows) {
        object.add(row.key, row_object(row));
    }
    JsonObject jobs;
    jobs.add(comparison.io.key, job_object(comparison.io));
    jobs.add(comparison.cpu.key, job_object(comparison.cpu));
    object.add("jobs", jobs);
    JsonObject machine;
    machine.add("system", comparison.machine.system);
    machine.add("processors", static_cast<double>(comparison.machine.processors));
    machine.add("memory_bytes", comparison.machine.memory_bytes);
    object.add("machine", machine);
    object.add("version", comparison.version);
    object.add("quick", comparison.quick);
    object.add("seconds", comparison.seconds);
    return object.text() + "\n";
}

}  // namespace compare
