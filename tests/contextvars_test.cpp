// contextvars_test.cpp - variables and contexts by themselves, without a loop.
//
// What tasks and callbacks do with contexts: context_inheritance_test.cpp.
// SPDX-License-Identifier: MIT
#include "support/observe.hpp"
#include "support/small_stack.hpp"

#include <asyncio/contextvars.hpp>
#include <asyncio/detail/context_map.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace asyncio {

using testing::Gone;
using testing::thrown_by;
using testing::Trace;

namespace {

ContextVar<int> static_variable("static", 7);

// ---------------------------------------------------------------------------------- variables

TEST(ContextVar, has_a_name) {
    const ContextVar<int> variable("aaa");

    EXPECT_EQ(variable.name(), "aaa");
}

TEST(ContextVar, may_be_static_and_works_without_a_loop) {
    EXPECT_EQ(static_variable.get(), 7);
    auto token = static_variable.set(8);
    EXPECT_EQ(static_variable.get(), 8);
    static_variable.reset(token);
    EXPECT_EQ(static_variable.get(), 7);
}

TEST(ContextVar, that_is_not_set_gives_the_argument_or_its_default_or_throws) {
    const ContextVar<int> without("without");
    const ContextVar<int> with("with", 1);

    EXPECT_EQ(thrown_by([&] { return without.get(); }),
              "LookupError(\"<ContextVar name='without'>\")");
    EXPECT_EQ(without.get(2), 2);
    EXPECT_EQ(with.get(), 1);
    EXPECT_EQ(with.get(2), 2);
    EXPECT_THROW(static_cast<void>(without.get()), std::out_of_range);
}

TEST(ContextVar, is_set_and_reset) {
    Context().run([] {
        const ContextVar<std::string> variable("c");

        auto first = variable.set("42");
        EXPECT_EQ(variable.get(), "42");
        EXPECT_EQ(variable.get("other"), "42");
        EXPECT_EQ(first.old_value(), std::nullopt);
        EXPECT_EQ(&first.var(), &variable);

        auto second = variable.set("spam");
        EXPECT_EQ(variable.get(), "spam");
        EXPECT_EQ(second.old_value(), "42");

        variable.reset(second);
        EXPECT_EQ(variable.get(), "42");
        EXPECT_EQ(second.old_value(), "42");

        variable.set("spam2");
        EXPECT_EQ(thrown_by([&] { variable.reset(second); }),
                  "RuntimeError(\"<Token var=<ContextVar name='c'>> has already been used once\")");
        EXPECT_EQ(variable.get(), "spam2");

        const Context before = copy_context();
        variable.reset(first);
        EXPECT_THROW(variable.reset(first), RuntimeError);
        EXPECT_EQ(variable.get("none"), "none");

        EXPECT_TRUE(before.contains(variable));
        EXPECT_EQ(before[variable], "spam2");
        EXPECT_EQ(before.get(variable, "aa"), "spam2");
        EXPECT_EQ(before.size(), 1U);
        EXPECT_EQ(before.keys(), std::vector<const AnyContextVar*>{&variable});

        const Context after = copy_context();
        EXPECT_FALSE(after.contains(variable));
        EXPECT_EQ(thrown_by([&] { return after[variable]; }),
                  "KeyError(\"<ContextVar name='c'>\")");
        EXPECT_EQ(after.get(variable, "aa"), "aa");
        EXPECT_TRUE(after.empty());
        EXPECT_TRUE(after.keys().empty());
    });
}

TEST(ContextVar, takes_no_token_of_another_variable_which_stays_good) {
    Context().run([] {
        const ContextVar<int> one("v1");
        const ContextVar<int> other("v2");
        auto token = one.set(42);

        EXPECT_EQ(thrown_by([&] { other.reset(token); }),
                  "ValueError(\"<Token var=<ContextVar name='v1'>> was created by a different "
                  "ContextVar\")");
        one.reset(token);
        EXPECT_EQ(one.get(0), 0);
    });
}

TEST(ContextVar, takes_no_token_of_another_context) {
    const ContextVar<int> variable("c", 42);
    const Context context;

    auto token = context.run([&] { return variable.set(1); });

    EXPECT_EQ(thrown_by([&] { variable.reset(token); }),
              "ValueError(\"<Token var=<ContextVar name='c'>> was created in a different "
              "Context\")");
    context.run([&] { variable.reset(std::move(token)); });
    EXPECT_TRUE(context.empty());
}

TEST(ContextVar, takes_no_token_that_was_moved_away) {
    const ContextVar<int> variable("c");
    auto token = variable.set(1);
    auto moved = std::move(token);

    // NOLINTNEXTLINE(bugprone-use-after-move): that is what is tested
    EXPECT_EQ(thrown_by([&] { variable.reset(token); }),
              "RuntimeError('<Token> has already been used once')");
    EXPECT_EQ(thrown_by([&] { return &token.var(); }),
              "RuntimeError('<Token> has been moved away')");
    variable.reset(moved);
}

TEST(ContextVar, gives_what_only_shares_its_value) {
    const ContextVar<std::shared_ptr<int>> variable("pointer");
    auto value = std::make_shared<int>(1);
    auto token = variable.set(value);

    *variable.get() = 2;

    EXPECT_EQ(*value, 2);
    variable.reset(token);
    EXPECT_EQ(value.use_count(), 1) << "the variable has let it go";
}

TEST(ContextVar, holds_what_needs_more_than_the_ordinary_alignment) {
    struct alignas(64) Wide {
        int value;
    };
    const ContextVar<Wide> variable("wide");
    auto token = variable.set(Wide{3});

    const Wide wide = variable.get();

    EXPECT_EQ(wide.value, 3);
    variable.reset(token);
}

TEST(Token, restores_the_value_before_at_the_end_of_a_scope) {
    const ContextVar<int> variable("c", 0);
    {
        auto outer = variable.set(1).scoped();
        {
            auto inner = variable.set(2).scoped();
            EXPECT_EQ(variable.get(), 2);
        }
        EXPECT_EQ(variable.get(), 1);
    }
    EXPECT_EQ(variable.get(), 0);
}

TEST(Token, whose_scope_ends_in_another_context_changes_nothing) {
    const ContextVar<int> variable("c", 0);
    const Context context;
    std::optional<TokenScope<int>> scope;

    context.run([&] { scope.emplace(variable.set(1)); });
    auto token = variable.set(5);
    scope.reset();

    EXPECT_EQ(variable.get(), 5);
    EXPECT_EQ(context[variable], 1);
    variable.reset(token);
}

// ----------------------------------------------------------------------------------- contexts

TEST(Context, runs_a_function_with_arguments_and_returns_what_it_returns) {
    const Context context;
    int given = 1;

    EXPECT_EQ(
        context.run([](int a, const std::string& b) { return b + std::to_string(a); }, 1, "x"),
        "x1");
    int& reference = context.run([](int& value) -> int& { return value; }, given);
    EXPECT_EQ(&reference, &given);
    EXPECT_EQ(*context.run([](auto value) { return value; }, std::make_unique<int>(4)), 4);
}

TEST(Context, lets_what_the_function_throws_pass_and_is_left_then) {
    const Context context;
    const ContextVar<int> variable("var");
    const auto fail = [&] {
        variable.set(1);
        throw RuntimeError("bad");
    };

    EXPECT_EQ(thrown_by([&] {
                  context.run(fail);
                  return 0;
              }),
              "RuntimeError('bad')");
    EXPECT_EQ(variable.get(0), 0);
    EXPECT_EQ(context[variable], 1);
    EXPECT_EQ(context.run([] { return 2; }), 2);
}

TEST(Context, keeps_what_is_set_in_it_to_itself) {
    const Context first;
    const Context second;
    const ContextVar<std::string> variable("var");

    const Context copied = first.run([&] {
        EXPECT_EQ(variable.get("none"), "none");
        variable.set("spam");
        second.run([&] { EXPECT_EQ(variable.get("none"), "none"); });
        EXPECT_EQ(variable.get(), "spam");
        Context current = copy_context();
        EXPECT_EQ(current.size(), 1U);
        return current;
    });

    EXPECT_FALSE(copied == first);
    EXPECT_EQ(copied[variable], "spam");
    EXPECT_EQ(first[variable], "spam");
    EXPECT_FALSE(copy_context().contains(variable));
}

TEST(Context, shows_what_is_set_while_it_is_entered) {
    const Context context;
    const ContextVar<int> variable("a", 0);

    context.run([&] {
        EXPECT_EQ(variable.get(), 0);
        EXPECT_EQ(context.get(variable), std::nullopt) << "the default is none of the context";
        EXPECT_EQ(context.get(variable, 5), 5);
        EXPECT_EQ(thrown_by([&] { return context[variable]; }),
                  "KeyError(\"<ContextVar name='a'>\")");
        auto token = variable.set(42);
        EXPECT_EQ(context.get(variable), 42);
        EXPECT_EQ(context.keys().size(), 1U);
        variable.reset(token);
        EXPECT_TRUE(context.keys().empty());
    });
}

TEST(Context, cannot_be_entered_twice) {
    const Context context;
    const ContextVar<int> variable("a", 0);

    context.run([&] {
        const Context same = context;
        EXPECT_EQ(thrown_by([&] { return same.run([] { return 0; }); }),
                  "RuntimeError('cannot enter context: <Context object> is already entered')");
        context.copy().run([&] {
            EXPECT_EQ(thrown_by([&] { return context.run([] { return 0; }); }),
                      "RuntimeError('cannot enter context: <Context object> is already entered')");
        });
        variable.set(1);
        EXPECT_EQ(context[variable], 1) << "still in it";
    });
    EXPECT_EQ(context.run([] { return 1; }), 1);
}

TEST(Context, is_copied_as_it_is_at_that_moment) {
    const Context first;
    const ContextVar<int> variable("c", 42);

    first.run([&] {
        variable.set(10);
        const Context second = first.copy();
        EXPECT_EQ(second[variable], 10);
        variable.set(20);
        EXPECT_EQ(first[variable], 20);
        EXPECT_EQ(second[variable], 10);
        second.run([&] {
            EXPECT_EQ(variable.get(), 10);
            variable.set(30);
        });
        EXPECT_EQ(first[variable], 20);
        EXPECT_EQ(second[variable], 30);
    });
}

TEST(Context, is_a_handle_that_shares) {
    const Context context;
    Context other;
    const ContextVar<int> variable("c");
    EXPECT_FALSE(other == context);

    other = context;
    other.run([&] { variable.set(1); });

    EXPECT_TRUE(other == context);
    EXPECT_EQ(context[variable], 1);
    EXPECT_FALSE(context.copy() == context);
}

TEST(Context, forgets_variables_that_are_no_more) {
    const Context context;
    auto variable = std::make_unique<ContextVar<int>>("gone");
    const ContextVar<int> kept("kept");
    context.run([&] {
        variable->set(1);
        kept.set(2);
    });

    variable = nullptr;

    EXPECT_EQ(context.keys(), std::vector<const AnyContextVar*>{&kept});
    EXPECT_EQ(context.size(), 2U);
}

TEST(Context, lets_values_go_with_the_last_context_that_has_them) {
    Trace trace;
    struct Value {
        std::shared_ptr<Gone> gone;
    };
    const ContextVar<Value> variable("v");
    std::optional<Context> copy;
    {
        const Context context;
        context.run([&] {
            variable.set(Value{std::make_shared<Gone>(trace, "first")});
            copy = copy_context();
            variable.set(Value{std::make_shared<Gone>(trace, "second")});
        });
        EXPECT_EQ(trace, Trace{});
    }
    EXPECT_EQ(trace, Trace{"second"});
    copy.reset();
    EXPECT_EQ(trace, (Trace{"second", "first"}));
}

/// A context whose value has a context, whose value has one, and so on.
struct Nested {
    std::optional<Context> inner;
};

TEST(Context, may_be_in_values_as_deep_as_one_likes) {
    testing::run_on_small_stack([] {
        const ContextVar<Nested> variable("v");
        Context outermost;
        for (int i = 0; i < 20'000; ++i) {
            const Context next;
            next.run([&] { variable.set(Nested{outermost}); });
            outermost = next;
        }
        EXPECT_EQ(outermost.size(), 1U);
    });
}

TEST(Token, is_used_when_the_value_that_it_takes_back_is_destroyed) {
    struct AtItsEnd {
        std::function<void()> call;
        ~AtItsEnd() { call(); }
    };
    Trace trace;
    const ContextVar<std::shared_ptr<AtItsEnd>> variable("v");
    auto value = std::make_shared<AtItsEnd>();
    AtItsEnd& at_its_end = *value;
    auto token = variable.set(std::exchange(value, nullptr));
    at_its_end.call = [&] { trace.push_back(thrown_by([&] { variable.reset(token); })); };

    variable.reset(token);

    EXPECT_EQ(trace, Trace{"RuntimeError(\"<Token var=<ContextVar name='v'>> has already been used "
                           "once\")"});
}

// ------------------------------------------------------------------------------------ threads

/// Sets a variable when the program ends, after the main thread's context has been destroyed.
struct SetsLate {
    ~SetsLate() {
        static_variable.set(2);
        if (static_variable.get() != 2) {
            std::_Exit(1);
        }
    }
};

TEST(ContextThreadsDeathTest, may_set_variables_to_their_very_end) {
    EXPECT_EXIT(
        {
            static const SetsLate late;
            static_variable.set(1);
            std::exit(0);
        },
        ::testing::ExitedWithCode(0), "");
}

TEST(ContextThreads, cannot_enter_one_context_at_once_and_leave_it_as_it_was) {
    const Context context;
    std::atomic<int> inside{0};
    std::atomic<bool> wrong{false};
    const auto enter = [&] {
        for (int i = 0; i < 20'000; ++i) {
            try {
                context.run([&] {
                    wrong = wrong || inside.fetch_add(1) != 0;
                    inside.fetch_sub(1);
                });
            } catch (const RuntimeError&) {}  // the other one was in it
        }
    };
    std::thread other(enter);
    enter();
    other.join();
    EXPECT_FALSE(wrong);
    EXPECT_EQ(thrown_by([&] { context.run([] {}); }), "nothing");
}

TEST(ContextThreads, have_a_context_each) {
    const ContextVar<int> variable("c");
    auto token = variable.set(-1);
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (int number = 0; number < 8; ++number) {
        threads.emplace_back([&variable, &wrong, number] {
            wrong += variable.get(0) == 0 ? 0 : 1;
            for (int i = 0; i < 100; ++i) {
                variable.set(number + i);
                std::this_thread::yield();
                wrong += variable.get() == number + i ? 0 : 1;
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    EXPECT_EQ(wrong, 0);
    EXPECT_EQ(variable.get(), -1);
    variable.reset(token);
}

TEST(ContextThreads, may_take_copies_of_one_context_along) {
    const ContextVar<std::string> variable("c");
    const ContextVar<int> number("n", 0);
    const Context context;
    context.run([&] { variable.set("shared by all, and longer than a small string"); });
    std::atomic<int> wrong{0};
    {
        std::vector<std::thread> threads;
        for (int index = 0; index < 8; ++index) {
            threads.emplace_back([&, copy = context.copy(), index] {
                for (int i = 0; i < 200; ++i) {
                    const Context again = copy.copy();
                    again.run([&] {
                        number.set(index);
                        wrong += variable.get().size() == 45 && number.get() == index ? 0 : 1;
                    });
                }
            });
        }
        for (std::thread& thread : threads) {
            thread.join();
        }
    }
    EXPECT_EQ(wrong, 0);
    EXPECT_FALSE(context.contains(number));
}

// ------------------------------------------------------------------------------------ the map

TEST(ContextMap, agrees_with_a_model_of_it_at_any_size) {
    std::minstd_rand random(4711);
    struct Version {
        std::unique_ptr<detail::ContextMap> map = std::make_unique<detail::ContextMap>();
        std::map<std::uint64_t, int> model;
    };
    std::vector<Version> versions(1);
    const auto box = [](int value) {
        return detail::ContextBoxRef(new detail::ContextBoxOf<int>(value));
    };
    const auto value_in = [](detail::ContextBox* found) {
        return found != nullptr
                   ? std::optional(static_cast<detail::ContextBoxOf<int>*>(found)->value)
                   : std::nullopt;
    };
    // Serial numbers of one level, two, three and more.
    constexpr std::uint64_t ranges[] = {10, 63, 200, 5'000, 1'000'000, std::uint64_t{1} << 40};
    for (int step = 0; step < 3000; ++step) {
        Version& version = versions[random() % versions.size()];
        const std::uint64_t serial = random() % ranges[random() % 6];
        const auto before = version.model.find(serial);
        const auto expected =
            before != version.model.end() ? std::optional(before->second) : std::nullopt;
        detail::ContextBoxRef old;
        if (random() % 3 == 0) {
            old = version.map->assign(serial, {});
            version.model.erase(serial);
        } else {
            old = version.map->assign(serial, box(step));
            version.model[serial] = step;
        }
        ASSERT_EQ(value_in(old.get()), expected);
        if (step % 10 == 0) {
            Version copy;
            copy.map = std::make_unique<detail::ContextMap>(version.map->root());
            copy.model = version.model;
            if (versions.size() < 20) {
                versions.push_back(std::move(copy));
            } else {
                versions[random() % versions.size()] = std::move(copy);
            }
        }
    }
    for (const Version& version : versions) {
        std::vector<std::uint64_t> serials;
        for (const auto& [serial, value] : version.model) {
            serials.push_back(serial);
            detail::ContextNode* const root = version.map->root();
            EXPECT_EQ(value_in(root->find(serial)), value);
        }
        EXPECT_EQ(version.map->serials(), serials);
    }
}

}  // namespace

}  // namespace asyncio
