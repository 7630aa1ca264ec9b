// readuntil.cpp - readuntil() with any separators, limit and chunks, against the plainest model:
// all that has arrived is searched anew each time.
//
// SPDX-License-Identifier: MIT
#include "fuzz.hpp"

#include <asyncio/streams.hpp>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

namespace {

using namespace asyncio;

struct Case {
    std::vector<std::string> separators;
    std::size_t limit = 1;
    std::vector<std::string> chunks;
};

std::string letters(fuzz::Input& input, std::size_t size) {
    std::string text(size, 'a');
    for (char& each : text) {
        each = static_cast<char>('a' + input.below(3));
    }
    return text;
}

Case make_case(fuzz::Input& input) {
    Case made;
    made.limit = 1 + input.below(24);
    for (std::size_t count = 1 + input.below(3); count > 0; --count) {
        made.separators.push_back(letters(input, 1 + input.below(4)));
    }
    while (!input.empty()) {
        made.chunks.push_back(letters(input, input.below(12)));
    }
    return made;
}

/// What the reads came to, one after the other.
using Log = std::vector<std::string>;

Coroutine<> read_all(StreamReader& reader, const Case& given, Log& log) {
    for (;;) {
        std::size_t skip = 0;
        try {
            std::string text = co_await reader.readuntil(given.separators);
            log.push_back("got " + text);
        } catch (const LimitOverrunError& error) {
            log.push_back("over " + std::to_string(error.consumed()));
            skip = error.consumed();
        } catch (const IncompleteReadError& error) {
            log.push_back("end " + error.partial());
            break;
        }
        if (skip > 0) {
            const std::string text = co_await reader.readexactly(skip);
            log.push_back("skipped " + text);
        }
    }
}

/// The match that ends first; of several the shortest separator.
struct Match {
    std::size_t begin;
    std::size_t end;
};
std::optional<Match> find(const std::string& text, const std::vector<std::string>& separators) {
    std::optional<Match> best;
    for (const std::string& separator : separators) {
        const std::size_t begin = text.find(separator);
        const std::size_t end = begin + separator.size();
        if (begin != std::string::npos &&
            (!best || end < best->end || (end == best->end && begin > best->begin))) {
            best = Match{begin, end};
        }
    }
    return best;
}

class Model {
public:
    explicit Model(const Case& given) : given_(given) {
        const auto by_size = [](const std::string& a, const std::string& b) {
            return a.size() < b.size();
        };
        shortest_ =
            std::min_element(given.separators.begin(), given.separators.end(), by_size)->size();
        longest_ =
            std::max_element(given.separators.begin(), given.separators.end(), by_size)->size();
    }
    void feed(const std::string& chunk) {
        text_ += chunk;
        while (step()) {}
    }
    void end() { log.push_back("end " + text_); }
    Log log;

private:
    bool step() {
        const std::optional<Match> match = find(text_, given_.separators);
        std::size_t over = 0;
        if (match.has_value()) {
            if (match->begin <= given_.limit) {
                log.push_back("got " + text_.substr(0, match->end));
                text_.erase(0, match->end);
                return true;
            }
            over = match->begin;
        } else if (text_.size() >= shortest_) {
            over = text_.size() + 1 > longest_ ? text_.size() + 1 - longest_ : 0;
        }
        if (over <= given_.limit) {
            return false;
        }
        log.push_back("over " + std::to_string(over));
        log.push_back("skipped " + text_.substr(0, over));
        text_.erase(0, over);
        return true;
    }

    const Case& given_;
    std::string text_;
    std::size_t shortest_;
    std::size_t longest_;
};

Coroutine<> try_case(const Case& given) {
    Log log;
    Model model(given);
    StreamReader reader(given.limit);
    const Task<> reading = create_task(read_all(reader, given, log));
    co_await testing::settle();
    for (const std::string& chunk : given.chunks) {
        reader.feed_data(chunk);
        model.feed(chunk);
        co_await testing::settle();
    }
    reader.feed_eof();
    model.end();
    co_await reading;
    fuzz::require(log == model.log, "readuntil() differs from the model");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Input input(data, size);
    const Case given = make_case(input);
    fuzz::run(try_case(given));
    return 0;
}
