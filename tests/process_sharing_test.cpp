// What processes have in common: values of all kinds, memory, pipes and queues.
// SPDX-License-Identifier: MIT
#include <asyncio/asyncio.hpp>
#include <asyncio/processes.hpp>

#include "support/async_test.hpp"

#include <gtest/gtest.h>

#include <bitset>
#include <cmath>
#include <complex>
#include <deque>
#include <filesystem>
#include <list>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <unordered_map>
#include <variant>
#include <vector>

#include <unistd.h>

using namespace asyncio;

namespace {

struct Part {
    std::string name;
    std::vector<Part> parts;
    bool operator==(const Part&) const = default;
};

struct Model {
    int id = 0;
    std::optional<std::string> note;
    std::map<std::string, double> weights;
    std::array<int, 3> shape{};
    Part root;
    bool operator==(const Model&) const = default;
};

class Money {
public:
    explicit Money(std::int64_t cents) : cents_(cents) {}
    [[nodiscard]] std::int64_t cents() const { return cents_; }
    bool operator==(const Money&) const = default;

private:
    std::int64_t cents_;
};

class Point {
public:
    double x = 0;
    double y = 0;
    Point() = default;
    Point(double a, double b) : x(a), y(b) {}
    bool operator==(const Point&) const = default;
};

enum class Colour : std::uint8_t { red = 3, green = 200 };

template <class T>
T there_and_back(const T& value) {
    const std::string bytes = detail::to_bytes(value);
    return detail::from_bytes<T>(bytes);
}

}  // namespace

template <>
struct asyncio::codec<Money> {
    static std::int64_t encode(const Money& money) { return money.cents(); }
    static Money decode(std::int64_t cents) { return Money(cents); }
};
template <>
struct asyncio::codec<Point> : asyncio::fields<&Point::x, &Point::y> {};

// --------------------------------------------------------------------------------------- values

TEST(ProcessCodec, brings_values_of_the_standard_library_over_unchanged) {
    const auto same = []<class T>(const T& value) { EXPECT_EQ(there_and_back(value), value); };

    same(true);
    same(std::numeric_limits<std::int64_t>::min());
    same(std::numeric_limits<std::uint64_t>::max());
    same('x');
    same(Colour::green);
    same(3.0);
    same(-0.1F);
    same(std::numeric_limits<double>::infinity());
    same(std::string("a\0b", 3));
    same(std::u16string(u"xyz"));
    same(std::vector<int>{1, -2, 3});
    same(std::vector<bool>{true, false});
    same(std::vector<std::vector<std::string>>{{"a"}, {}, {"b", "c"}});
    same(std::list<std::deque<short>>{{1}, {2, 3}});
    same(std::set<std::string>{"a", "b"});
    same(std::map<int, std::pair<char, double>>{{1, {'a', 2}}});
    same(std::unordered_map<std::string, std::vector<int>>{{"k", {1}}});
    same(std::optional<std::optional<int>>(std::optional<int>()));
    same(std::variant<int, std::string>("text"));
    same(std::tuple<int, std::string, bool>(1, "b", true));
    same(std::array<std::string, 2>{"a", "b"});
    same(std::complex<double>(1, -2));
    same(std::bitset<70>(123));
    same(std::filesystem::path("/a/b"));
    same(std::chrono::milliseconds(5));
    same(std::chrono::system_clock::now());
    same(Duration(1.5));
    same(std::monostate());
    same(std::make_error_code(std::errc::timed_out));
    EXPECT_TRUE(std::signbit(there_and_back(-0.0)));
    EXPECT_TRUE(std::isnan(there_and_back(std::nan(""))));
    EXPECT_EQ(*there_and_back(std::make_unique<int>(5)), 5);
    EXPECT_EQ(there_and_back(std::shared_ptr<int>()), nullptr);
}

TEST(ProcessCodec, brings_types_of_ones_own_over) {
    const Model model{.id = 1,
                      .note = "n",
                      .weights = {{"a", 0.5}},
                      .shape = {1, 2, 3},
                      .root = {"r", {{"s", {}}}}};

    EXPECT_EQ(there_and_back(model), model);
    EXPECT_EQ(there_and_back(Money(5)), Money(5));
    EXPECT_EQ(there_and_back(Point(1, 2)), Point(1, 2));
}

TEST(ProcessCodec, believes_no_size_and_no_type) {
    const std::string bytes = detail::to_bytes(std::vector<std::string>{"abc", "defg"});
    // An array of four billion; a text of as much; many arrays in one another.
    const std::string array("\xdd\xff\xff\xff\xff", 5);
    const std::string text("\xdb\xff\xff\xff\xff", 5);
    const std::string deep(100000, '\x91');

    for (std::size_t size = 0; size < bytes.size(); ++size) {
        EXPECT_THROW(detail::from_bytes<std::vector<std::string>>(bytes.substr(0, size)),
                     RuntimeError)
            << size;
    }
    EXPECT_THROW(detail::from_bytes<std::vector<std::string>>(bytes + 'x'), RuntimeError);
    EXPECT_THROW(detail::from_bytes<std::vector<int>>(bytes), RuntimeError);
    EXPECT_THROW(detail::from_bytes<std::vector<std::string>>(array), RuntimeError);
    EXPECT_THROW(detail::from_bytes<std::string>(text), RuntimeError);
    EXPECT_THROW(detail::from_bytes<std::string>(deep), RuntimeError);
    EXPECT_THROW(detail::from_bytes<std::int8_t>(detail::to_bytes(1000)), RuntimeError);
}

// --------------------------------------------------------------------------------------- memory

ASYNC_TEST(SharedMemory, is_the_same_in_both_processes) {
    ProcessPoolExecutor pool(1);
    SharedMemory memory({.create = true, .size = 1000 * sizeof(double)});
    const std::span<double> numbers = memory.span<double>();
    numbers[0] = 1;
    numbers[999] = 2;

    const double sum = co_await get_running_loop().run_in_executor(
        &pool,
        [](const SharedMemory& shared) {
            const std::span<double> all = shared.span<double>();
            all[1] = 7;
            return all[0] + all[999];
        },
        memory);

    EXPECT_EQ(sum, 3);
    EXPECT_EQ(numbers[1], 7);
}

TEST(SharedMemory, of_a_name_is_found_until_it_is_unlinked) {
    const std::string name = "asyncio-test-" + std::to_string(::getpid());
    const SharedMemory memory({.name = name, .create = true, .size = 100});
    memory.buf()[5] = std::byte{9};

    EXPECT_THROW(SharedMemory({.name = name, .create = true, .size = 100}), FileExistsError);
    const SharedMemory other({.name = name});
    EXPECT_EQ(other.size(), 100U);
    EXPECT_EQ(other.buf()[5], std::byte{9});

    memory.unlink();
    EXPECT_THROW(SharedMemory({.name = name}), FileNotFoundError);
    EXPECT_THROW(memory.unlink(), FileNotFoundError);
    EXPECT_THROW(SharedMemory({.create = true}), std::invalid_argument);
    EXPECT_THROW(SharedMemory({.size = 5}), std::invalid_argument);
}

// ------------------------------------------------------------------------------ pipes and queues

ASYNC_TEST(ProcessPipe, carries_objects_both_ways_and_then_its_end) {
    ProcessPoolExecutor pool(1);
    auto [ours, theirs] = open_connection_pair();
    auto done = get_running_loop().run_in_executor(
        &pool,
        [](const Connection& connection) {
            for (;;) {
                try {
                    connection.send(connection.recv<int>() * 2);
                } catch (const EOFError&) {
                    return;
                }
            }
        },
        theirs);
    theirs.close();

    co_await ours.coro_send(4);
    const int eight = co_await ours.coro_recv<int>();
    EXPECT_EQ(eight, 8);
    ours.send(5);
    EXPECT_EQ(ours.recv<int>(), 10);
    EXPECT_FALSE(ours.poll());
    ours.close();
    co_await done;
}

TEST(ProcessPipe, ends_with_the_worker_that_had_the_other_end) {
    ProcessPoolExecutor pool(1);
    auto [ours, theirs] = open_connection_pair();
    const auto call = pool.submit(
        [](const Connection& end) {
            end.send(end.recv<int>());
            ::pause();
        },
        theirs);
    theirs.close();
    ours.send(1);
    EXPECT_EQ(ours.recv<int>(), 1);

    pool.kill_workers();

    // Although somebody has the future of the call.
    EXPECT_THROW(static_cast<void>(ours.recv<int>()), EOFError);
    EXPECT_THROW(call.result(), BrokenProcessPool);
}

TEST(ProcessPipe, carries_what_is_larger_than_any_buffer) {
    auto [a, b] = open_connection_pair();
    const std::vector<double> many(1 << 20, 0.5);

    a.send(many);
    a.send(std::string("small"));

    EXPECT_EQ(b.recv<std::vector<double>>(), many);
    EXPECT_EQ(b.recv<std::string>(), "small");
    EXPECT_THROW(static_cast<void>(b.recv<int>(Duration(0))), TimeoutError);
    b.close();
    EXPECT_THROW(a.send(1), BrokenPipeError);
}

ASYNC_TEST(ProcessPipe, keeps_everything_when_a_wait_is_cancelled) {
    auto [a, b] = open_connection_pair();
    auto waits = create_task(b.coro_recv<int>());
    co_await asyncio::testing::settle();
    waits.cancel();
    co_await asyncio::testing::settle();
    EXPECT_TRUE(waits.cancelled());

    a.send(5);
    const int five = co_await b.coro_recv<int>();

    EXPECT_EQ(five, 5);
}

ASYNC_TEST(ProcessQueue, is_filled_and_emptied_by_several_processes) {
    ProcessPoolExecutor pool(2);
    EventLoop& loop = get_running_loop();
    ProcessQueue<int> numbers;
    ProcessQueue<int> squares;
    const auto work = [](const ProcessQueue<int>& in, const ProcessQueue<int>& out) {
        for (int number = in.get(); number >= 0; number = in.get()) {
            out.put(number * number);
        }
    };
    auto first = loop.run_in_executor(&pool, work, numbers, squares);
    auto second = loop.run_in_executor(&pool, work, numbers, squares);

    std::multiset<int> got;
    for (int i = 0; i < 200; ++i) {
        co_await numbers.coro_put(i % 10);
        const int each = co_await squares.coro_get();
        got.insert(each);
    }
    numbers.put(-1);
    numbers.put(-1);
    co_await first;
    co_await second;

    EXPECT_EQ(got.size(), 200U);
    EXPECT_EQ(got.count(81), 20U);
    EXPECT_TRUE(squares.empty());
    EXPECT_THROW(static_cast<void>(squares.get_nowait()), QueueEmpty);
}
