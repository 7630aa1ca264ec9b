// expect: a field of this aggregate cannot be sent to another process
// process_field.cpp - nor does one in an aggregate.
//
// SPDX-License-Identifier: MIT
#include <asyncio/processes.hpp>

struct Node {
    int value;
    Node* next;
};

int call(asyncio::ProcessPoolExecutor& pool, const Node& node) {
    return pool.submit([](const Node& n) { return n.value; }, node).result();
}
