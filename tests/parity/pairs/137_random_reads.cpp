// Rule: StreamReader: what readuntil, readline, read, readexactly give, and leave, however the bytes come.
// SPDX-License-Identifier: MIT
#include "pair.hpp"

#include <asyncio/streams.hpp>

#include <cstdint>

class Random {
 public:
  explicit Random(std::uint32_t seed) : state_(seed * 2654435761U) {}
  int operator()(int n) {
    state_ = state_ * 1664525 + 1013904223;
    return static_cast<int>((state_ >> 16) % static_cast<unsigned>(n));
  }

 private:
  std::uint32_t state_;
};

const std::vector<std::vector<std::string>> separators_of = {
    {"\n"}, {"ab"}, {"a", "ba"}, {"ba", "b\n", "a"}, {"aab", "ab"}, {"\n\n", "\nb"}, {"abab", "b"}};

std::string bytes(const std::string& text) {
  std::string quoted = "b'";
  for (const char c : text) quoted += c == '\n' ? std::string("\\n") : std::string(1, c);
  return quoted + "'";
}
void say(const std::string& text) { std::printf("%s ", text.c_str()); }

std::string chunk(Random& random, int most) {
  std::string text;
  for (int left = random(most); left > 0; --left) text += "aab\nb"[random(5)];
  return text;
}

Coroutine<> operate(StreamReader& reader, Random& random, std::string label) {
  const int kind = random(6);
  std::string got;
  std::size_t skip = 0;
  try {
    if (kind == 0) {
      const int n = random(6);
      say(label + " read " + str(n));
      got = co_await reader.read(n);
    } else if (kind == 1) {
      const int n = random(7);
      say(label + " readexactly " + str(n));
      got = co_await reader.readexactly(n);
    } else if (kind == 2) {
      say(label + " readline");
      got = co_await reader.readline();
    } else {
      const int which = random(static_cast<int>(separators_of.size()));
      say(label + " readuntil " + str(which));
      got = co_await reader.readuntil(separators_of[static_cast<std::size_t>(which)]);
    }
    print(bytes(got));
  } catch (const IncompleteReadError& e) {
    print("incomplete", bytes(e.partial()), e.expected() ? str(*e.expected()) : "None");
  } catch (const LimitOverrunError& e) {
    print(err(), e.consumed());
    if (random(2) != 0) skip = e.consumed();
  } catch (const std::invalid_argument&) {
    print(err());
  }
  if (skip > 0) co_await reader.readexactly(static_cast<std::ptrdiff_t>(skip));
}

Coroutine<> program(int seed) {
  Random random(static_cast<std::uint32_t>(seed));
  const int limit = 1 + random(8);
  StreamReader reader(static_cast<std::size_t>(limit));
  print("--", seed, "limit", limit);
  for (int step = 0; step < 8; ++step) {
    for (int left = random(3); left > 0; --left) {
      const std::string text = chunk(random, 6);
      reader.feed_data(text);
    }
    auto task = create_task(operate(reader, random, str(step)));
    int turns = 0;
    while (!task.done()) {
      co_await sleep(0);
      if (task.done()) break;
      if (++turns == 4 && random(3) == 0) {
        say("cancelled");
        task.cancel();
        const Result<void> ended = co_await as_result(task);
        if (ended.cancelled()) print("");
        break;
      }
      const std::string text = chunk(random, 4);
      reader.feed_data(text);
    }
  }
  reader.feed_eof();
  while (!reader.at_eof()) co_await operate(reader, random, "end");
}

Coroutine<> amain() {
  for (int seed = 1; seed < 80; ++seed) co_await program(seed);
}

int main() { run(amain()); }
