// exceptions_test.cpp - Python's exceptions: their hierarchy, ExceptionGroup, describe().
//
// SPDX-License-Identifier: MIT
#include "support/observe.hpp"
#include "support/small_stack.hpp"

#include <asyncio/exceptions.hpp>

#include <gtest/gtest.h>

#include <cerrno>
#include <new>
#include <stdexcept>
#include <string>
#include <system_error>
#include <type_traits>
#include <vector>

namespace asyncio {

using testing::thrown_by;

namespace {

template <class E>
std::string describe_thrown(E error) {
    return describe(std::make_exception_ptr(error));
}

// `catch (const std::exception&)` must let the end of a task and of the program pass.
static_assert(!std::is_base_of_v<std::exception, CancelledError>);
static_assert(!std::is_base_of_v<std::exception, KeyboardInterrupt>);
static_assert(!std::is_base_of_v<std::exception, SystemExit>);
static_assert(!std::is_base_of_v<std::exception, GeneratorExit>);
static_assert(std::is_base_of_v<BaseException, CancelledError>);
static_assert(std::is_base_of_v<OSError, TimeoutError>);
static_assert(std::is_base_of_v<std::system_error, OSError>);
static_assert(std::is_base_of_v<ConnectionError, BrokenPipeError>);
static_assert(std::is_base_of_v<ConnectionError, ConnectionResetError>);
static_assert(std::is_base_of_v<RuntimeError, BrokenBarrierError>);
static_assert(std::is_base_of_v<std::out_of_range, LookupError>);

TEST(Exceptions, know_their_message) {
    EXPECT_FALSE(CancelledError().message().has_value());
    EXPECT_EQ(CancelledError("why").message(), "why");
    EXPECT_STREQ(CancelledError().what(), "");
    EXPECT_STREQ(CancelledError("why").what(), "why");
    EXPECT_EQ(SystemExit(3).code(), 3);
    EXPECT_STREQ(RuntimeError("bad").what(), "bad");
    EXPECT_EQ(TimeoutError().error_number(), ETIMEDOUT);
}

TEST(Exceptions, of_the_system_say_what_was_being_done_and_what_happened) {
    EXPECT_STREQ(OSError(ECONNREFUSED, "connect").what(), "connect: Connection refused");
    EXPECT_STREQ(OSError("no such family").what(), "no such family");
    EXPECT_STREQ(AddressInfoError(-2, "Name or service not known", "host.invalid").what(),
                 "host.invalid: Name or service not known");
    EXPECT_STREQ(static_cast<const std::exception&>(OSError("as a base")).what(), "as a base");
}

TEST(Exceptions, of_streams_carry_what_is_left) {
    const IncompleteReadError some("abc", 10);
    const IncompleteReadError unknown("", std::nullopt);
    const LimitOverrunError overrun("too long", 7);
    EXPECT_EQ(some.partial(), "abc");
    EXPECT_EQ(some.expected(), 10U);
    EXPECT_STREQ(some.what(), "3 bytes read on a total of 10 expected bytes");
    EXPECT_STREQ(unknown.what(), "0 bytes read on a total of undefined expected bytes");
    EXPECT_EQ(overrun.consumed(), 7U);
}

TEST(Describe, writes_exceptions_as_pythons_repr_does) {
    EXPECT_EQ(describe(nullptr), "None");
    EXPECT_EQ(describe_thrown(CancelledError()), "CancelledError()");
    EXPECT_EQ(describe_thrown(CancelledError("why")), "CancelledError('why')");
    EXPECT_EQ(describe_thrown(KeyboardInterrupt()), "KeyboardInterrupt()");
    EXPECT_EQ(describe_thrown(SystemExit(2)), "SystemExit(2)");
    EXPECT_EQ(describe_thrown(GeneratorExit()), "GeneratorExit()");
    EXPECT_EQ(describe_thrown(RuntimeError("bad")), "RuntimeError('bad')");
    EXPECT_EQ(describe_thrown(InvalidStateError("x")), "InvalidStateError('x')");
    EXPECT_EQ(describe_thrown(QueueEmpty()), "QueueEmpty()");
    EXPECT_EQ(describe_thrown(QueueFull()), "QueueFull()");
    EXPECT_EQ(describe_thrown(QueueShutDown()), "QueueShutDown()");
    EXPECT_EQ(describe_thrown(WouldBlock()), "WouldBlock()");
    EXPECT_EQ(describe_thrown(EndOfChannel()), "EndOfChannel()");
    EXPECT_EQ(describe_thrown(BrokenResourceError()), "BrokenResourceError()");
    EXPECT_EQ(describe_thrown(ClosedResourceError()), "ClosedResourceError()");
    EXPECT_EQ(describe_thrown(BrokenBarrierError("b")), "BrokenBarrierError('b')");
    EXPECT_EQ(describe_thrown(LookupError("l")), "LookupError('l')");
    EXPECT_EQ(describe_thrown(TypeError("t")), "TypeError('t')");
    EXPECT_EQ(describe_thrown(TimeoutError()), "TimeoutError()");
    EXPECT_EQ(describe_thrown(std::invalid_argument("v")), "ValueError('v')");
    EXPECT_EQ(describe_thrown(std::out_of_range("k")), "KeyError('k')");
    EXPECT_EQ(describe_thrown(std::bad_alloc()), "MemoryError()");
    EXPECT_EQ(describe_thrown(std::runtime_error("e")), "Exception('e')");
    EXPECT_TRUE(describe_thrown(7).starts_with("<exception of type "));
}

TEST(Describe, quotes_as_python_does) {
    EXPECT_EQ(describe_thrown(RuntimeError("it's")), "RuntimeError(\"it's\")");
    EXPECT_EQ(describe_thrown(RuntimeError("'\"")), "RuntimeError('\\'\"')");
    EXPECT_EQ(describe_thrown(RuntimeError("a\nb\tc\r\\\x01")),
              "RuntimeError('a\\nb\\tc\\r\\\\\\x01')");
}

TEST(Describe, writes_errors_of_the_system_with_their_number) {
    EXPECT_EQ(describe_thrown(OSError(EBADF, "recv")), "OSError(9, 'Bad file descriptor')");
    EXPECT_EQ(describe_thrown(ConnectionResetError(ECONNRESET, "recv")),
              "ConnectionResetError(104, 'Connection reset by peer')");
    EXPECT_EQ(describe_thrown(OSError("a text")), "OSError('a text')");
    EXPECT_EQ(describe_thrown(AddressInfoError(-2, "Name or service not known", "nowhere")),
              "gaierror(-2, 'Name or service not known')");
}

TEST(RaiseOsError, picks_the_class_that_python_has_for_the_number) {
    const auto name = [](int number) {
        const std::string text = thrown_by([&] { detail::raise_os_error(number, "doing"); });
        return text.substr(0, text.find('('));
    };
    EXPECT_EQ(name(EPIPE), "BrokenPipeError");
    EXPECT_EQ(name(ESHUTDOWN), "BrokenPipeError");
    EXPECT_EQ(name(ECONNABORTED), "ConnectionAbortedError");
    EXPECT_EQ(name(ECONNREFUSED), "ConnectionRefusedError");
    EXPECT_EQ(name(ECONNRESET), "ConnectionResetError");
    EXPECT_EQ(name(EAGAIN), "BlockingIOError");
    EXPECT_EQ(name(EINPROGRESS), "BlockingIOError");
    EXPECT_EQ(name(ECHILD), "ChildProcessError");
    EXPECT_EQ(name(EEXIST), "FileExistsError");
    EXPECT_EQ(name(ENOENT), "FileNotFoundError");
    EXPECT_EQ(name(EINTR), "InterruptedError");
    EXPECT_EQ(name(EISDIR), "IsADirectoryError");
    EXPECT_EQ(name(ENOTDIR), "NotADirectoryError");
    EXPECT_EQ(name(EACCES), "PermissionError");
    EXPECT_EQ(name(EPERM), "PermissionError");
    EXPECT_EQ(name(ESRCH), "ProcessLookupError");
    EXPECT_EQ(name(ETIMEDOUT), "TimeoutError");
    EXPECT_EQ(name(EMFILE), "OSError");
    try {
        detail::raise_os_error(ENOENT, "open x");
    } catch (const std::system_error& error) {
        EXPECT_EQ(error.code(), std::errc::no_such_file_or_directory);
        EXPECT_NE(std::string(error.what()).find("open x"), std::string::npos);
    }
}

// ------------------------------------------------------------------------------ ExceptionGroup

ExceptionGroup nested() {
    ExceptionGroup inner("inner", {std::make_exception_ptr(std::invalid_argument("v")),
                                   std::make_exception_ptr(RuntimeError("r"))});
    return ExceptionGroup("outer", {std::make_exception_ptr(std::invalid_argument("w")),
                                    std::make_exception_ptr(inner)});
}

TEST(ExceptionGroup, takes_no_null) {
    const std::exception_ptr error = std::make_exception_ptr(RuntimeError("x"));
    EXPECT_EQ(thrown_by([&] { throw ExceptionGroup("x", {error, nullptr}); }),
              "ValueError('Item 1 of second argument (exceptions) is not an exception')");
}

TEST(ExceptionGroup, is_described_with_its_nesting) {
    EXPECT_EQ(describe_thrown(nested()),
              "ExceptionGroup('outer', [ValueError('w'), "
              "ExceptionGroup('inner', [ValueError('v'), RuntimeError('r')])])");
    EXPECT_STREQ(nested().what(),
                 "outer (2 sub-exceptions)\n  ValueError('w')\n  inner\n    ValueError('v')\n"
                 "    RuntimeError('r')");
    EXPECT_EQ(nested().message(), "outer");
    EXPECT_EQ(nested().exceptions().size(), 2U);
    EXPECT_EQ(thrown_by([] { ExceptionGroup("empty", {}); }),
              "ValueError('second argument (exceptions) must be a non-empty sequence')");
}

TEST(ExceptionGroup, splits_by_type_and_keeps_the_nesting) {
    const ExceptionGroup::Split split = nested().split<std::invalid_argument>();

    EXPECT_EQ(
        describe_thrown(split.match.value()),
        "ExceptionGroup('outer', [ValueError('w'), ExceptionGroup('inner', [ValueError('v')])])");
    EXPECT_EQ(describe_thrown(split.rest.value()),
              "ExceptionGroup('outer', [ExceptionGroup('inner', [RuntimeError('r')])])");
    EXPECT_FALSE(nested().split<OSError>().match.has_value());
    EXPECT_FALSE(nested().split<std::exception>().rest.has_value());
    EXPECT_EQ(describe_thrown(nested().subgroup<RuntimeError>().value()),
              "ExceptionGroup('outer', [ExceptionGroup('inner', [RuntimeError('r')])])");
    EXPECT_TRUE(nested().contains<RuntimeError>());
    EXPECT_FALSE(nested().contains<TimeoutError>());
}

// The rules of PEP 654, after CPython's test_exception_group.py.

std::exception_ptr value_error(int number) {
    return std::make_exception_ptr(std::invalid_argument(std::to_string(number)));
}
std::exception_ptr type_error() {
    return std::make_exception_ptr(TypeError("int"));
}

class CodedGroup : public ExceptionGroup {
public:
    CodedGroup(const std::string& message, std::vector<std::exception_ptr> exceptions, int code)
        : ExceptionGroup(message, std::move(exceptions)), code_(code) {}
    [[nodiscard]] int code() const noexcept { return code_; }
    [[nodiscard]] std::exception_ptr derive(
        std::vector<std::exception_ptr> exceptions) const override {
        return std::make_exception_ptr(CodedGroup(message(), std::move(exceptions), code_));
    }

private:
    int code_;
};

class PlainGroup : public ExceptionGroup {
public:
    using ExceptionGroup::ExceptionGroup;
};

class BadGroup : public ExceptionGroup {
public:
    using ExceptionGroup::ExceptionGroup;
    [[nodiscard]] std::exception_ptr derive(
        std::vector<std::exception_ptr> exceptions) const override {
        return exceptions.front();
    }
};

ExceptionGroup simple_group() {
    return ExceptionGroup("simple eg", {value_error(1), type_error(), value_error(2)});
}

std::string shown(const ExceptionGroup::Part& part) {
    return describe(part.error());
}

TEST(ExceptionGroup, subgroup_by_type) {
    const ExceptionGroup group = simple_group();
    const std::string all = describe_thrown(group);

    EXPECT_EQ(shown(group.subgroup<ExceptionGroup>()), all);
    EXPECT_EQ(shown(group.subgroup<std::exception>()), all);
    EXPECT_EQ(shown(group.subgroup<OSError>()), "None");
    EXPECT_EQ(shown(group.subgroup<std::invalid_argument>()),
              "ExceptionGroup('simple eg', [ValueError('1'), ValueError('2')])");
    EXPECT_EQ(shown(group.subgroup<TypeError>()),
              "ExceptionGroup('simple eg', [TypeError('int')])");
    EXPECT_EQ(shown(group.subgroup<std::invalid_argument, TypeError>()), all);
    EXPECT_EQ(shown(group.subgroup<OSError, TypeError>()),
              "ExceptionGroup('simple eg', [TypeError('int')])");
    EXPECT_EQ(group.subgroup<TypeError>().value().message(), "simple eg");
    EXPECT_EQ(group.subgroup<TypeError>()->exceptions().front(), group.exceptions()[1]);
    EXPECT_THROW(static_cast<void>(group.subgroup<OSError>().value()), std::bad_optional_access);
}

bool always(const std::exception_ptr&) {
    return true;
}

TEST(ExceptionGroup, splits_by_predicate) {
    const ExceptionGroup group = simple_group();
    const std::string all = describe_thrown(group);
    int asked = 0;
    const auto never = [&asked](const std::exception_ptr&) {
        ++asked;
        return false;
    };
    const auto is_type_error = [](const std::exception_ptr& error) {
        return describe(error).starts_with("TypeError");
    };

    EXPECT_EQ(shown(group.split_if(always).match), all);
    EXPECT_EQ(shown(group.split_if(&always).rest), "None");
    EXPECT_EQ(shown(group.split_if(never).match), "None");
    EXPECT_EQ(asked, 4);  // of the group and of each leaf
    EXPECT_EQ(shown(group.split_if(never).rest), all);
    EXPECT_EQ(shown(group.subgroup_if(never)), "None");
    EXPECT_EQ(shown(group.subgroup_if(is_type_error)),
              "ExceptionGroup('simple eg', [TypeError('int')])");
    EXPECT_EQ(shown(group.split_if(is_type_error).rest),
              "ExceptionGroup('simple eg', [ValueError('1'), ValueError('2')])");
}

TEST(ExceptionGroup, asks_a_predicate_of_the_groups_inside) {
    const std::exception_ptr inner =
        std::make_exception_ptr(ExceptionGroup("inner", {value_error(1), type_error()}));
    const ExceptionGroup group("outer", {inner, value_error(2)});
    const auto is_inner = [](const std::exception_ptr& error) {
        return describe(error).starts_with("ExceptionGroup('inner'");
    };
    const auto parts = group.split_if(is_inner);
    EXPECT_EQ(parts.match->exceptions(), std::vector<std::exception_ptr>{inner});  // the same one
    EXPECT_EQ(shown(parts.rest), "ExceptionGroup('outer', [ValueError('2')])");
}

TEST(ExceptionGroup, splits_what_is_nested_three_deep) {
    const auto level1 = [](int i) {
        return std::make_exception_ptr(
            ExceptionGroup("msg1", {value_error(i), type_error(), value_error(i + 1)}));
    };
    const auto level2 =
        std::make_exception_ptr(PlainGroup("msg2", {level1(6), level1(7), value_error(8)}));
    const ExceptionGroup group("msg3", {level2, value_error(7)});
    const std::string all = describe_thrown(group);

    auto split = group.split<OSError>();
    EXPECT_EQ(shown(split.match), "None");
    EXPECT_EQ(shown(split.rest), all);
    split = group.split<std::invalid_argument, TypeError>();
    EXPECT_EQ(shown(split.match), all);
    EXPECT_EQ(shown(split.rest), "None");
    split = group.split<std::invalid_argument>();
    EXPECT_EQ(shown(split.match),
              "ExceptionGroup('msg3', [ExceptionGroup('msg2', [ExceptionGroup('msg1', "
              "[ValueError('6'), ValueError('7')]), ExceptionGroup('msg1', [ValueError('7'), "
              "ValueError('8')]), ValueError('8')]), ValueError('7')])");
    EXPECT_EQ(shown(split.rest),
              "ExceptionGroup('msg3', [ExceptionGroup('msg2', [ExceptionGroup('msg1', "
              "[TypeError('int')]), ExceptionGroup('msg1', [TypeError('int')])])])");
    // A group inside that is of the class goes as a whole, and stays the same.
    split = group.split<PlainGroup>();
    EXPECT_EQ(split.match->exceptions(), std::vector<std::exception_ptr>{level2});
    EXPECT_EQ(shown(split.rest), "ExceptionGroup('msg3', [ValueError('7')])");
    EXPECT_TRUE(group.contains<PlainGroup>());
    EXPECT_TRUE(group.contains<TypeError>());
    EXPECT_FALSE(group.contains<CodedGroup>());
    EXPECT_EQ(shown(group.split<ExceptionGroup>().match), all);
}

TEST(ExceptionGroup, splits_what_is_no_error_from_what_is) {
    const ExceptionGroup group("beg",
                               {value_error(1), std::make_exception_ptr(KeyboardInterrupt("2"))});
    auto split = group.split<KeyboardInterrupt>();
    EXPECT_EQ(shown(split.match), "ExceptionGroup('beg', [KeyboardInterrupt('2')])");
    EXPECT_EQ(shown(split.rest), "ExceptionGroup('beg', [ValueError('1')])");
    split = group.split<std::exception>();
    EXPECT_EQ(shown(split.match), "ExceptionGroup('beg', [ValueError('1')])");
    EXPECT_EQ(shown(split.rest), "ExceptionGroup('beg', [KeyboardInterrupt('2')])");
    split = group.split<std::exception, BaseException>();
    EXPECT_EQ(shown(split.rest), "None");
}

TEST(ExceptionGroup, parts_of_a_derived_class_are_plain_unless_it_says_otherwise) {
    const auto nested = std::make_exception_ptr(PlainGroup("nested", {type_error()}));
    const PlainGroup group("eg", {value_error(1), nested});
    const auto split = group.split<TypeError>();
    EXPECT_EQ(dynamic_cast<const PlainGroup*>(&split.match.value()), nullptr);
    EXPECT_EQ(shown(split.match),
              "ExceptionGroup('eg', [ExceptionGroup('nested', [TypeError('int')])])");
    EXPECT_EQ(shown(group.split<PlainGroup>().rest), "None");
}

TEST(ExceptionGroup, derive_keeps_what_a_derived_class_has_besides) {
    const auto nested = std::make_exception_ptr(CodedGroup("nested", {type_error()}, 101));
    const CodedGroup group("eg", {value_error(1), nested}, 42);
    const auto code_of = [](const std::exception_ptr& error) {
        try {
            std::rethrow_exception(error);
        } catch (const CodedGroup& coded) {
            return coded.code();
        } catch (...) {
            return 0;
        }
    };
    auto split = group.split<OSError>();
    EXPECT_FALSE(split.match);
    EXPECT_EQ(code_of(split.rest.error()), 42);
    EXPECT_EQ(code_of(split.rest->exceptions()[1]), 101);
    split = group.split<std::invalid_argument, TypeError>();
    EXPECT_EQ(code_of(split.match.error()), 42);
    EXPECT_EQ(code_of(split.match->exceptions()[1]), 101);
    EXPECT_FALSE(split.rest);
    split = group.split<std::invalid_argument>();
    EXPECT_EQ(code_of(split.match.error()), 42);
    EXPECT_EQ(code_of(split.rest.error()), 42);
    EXPECT_EQ(code_of(split.rest->exceptions()[0]), 101);
    EXPECT_EQ(shown(split.rest),
              "ExceptionGroup('eg', [ExceptionGroup('nested', [TypeError('int')])])");
}

TEST(ExceptionGroup, derive_must_give_a_group) {
    const BadGroup group("eg", {type_error(), value_error(2)});
    EXPECT_EQ(thrown_by([&] { return group.split<TypeError>(); }),
              "TypeError('derive must return an instance of ExceptionGroup')");
    EXPECT_EQ(thrown_by([&] { return group.subgroup<TypeError>(); }),
              "TypeError('derive must return an instance of ExceptionGroup')");
}

TEST(ExceptionGroup, part_is_rethrown_as_what_it_is) {
    const CodedGroup group("eg", {value_error(1), type_error()}, 7);
    const auto split = group.split<TypeError>();
    EXPECT_THROW(std::rethrow_exception(split.rest.error()), CodedGroup);
    const ExceptionGroup::Part copy = split.match;  // keeps the group
    EXPECT_EQ(copy->message(), "eg");
    EXPECT_EQ((*copy).exceptions().size(), 1U);
}

TEST(ExceptionGroup, what_is_cut_off_where_it_is_very_deep) {
    std::exception_ptr error = type_error();
    for (int depth = 0; depth < 200; ++depth) {
        error = std::make_exception_ptr(ExceptionGroup("eg", {error}));
    }
    const ExceptionGroup group("top", {error});
    EXPECT_TRUE(std::string(group.what()).ends_with("eg ..."));
    EXPECT_TRUE(group.contains<TypeError>());
}

TEST(Detail, tells_cancellation_and_the_end_of_the_program_without_a_throw) {
    EXPECT_TRUE(detail::is_cancelled_error(std::make_exception_ptr(CancelledError())));
    EXPECT_FALSE(detail::is_cancelled_error(std::make_exception_ptr(RuntimeError("x"))));
    EXPECT_FALSE(detail::is_cancelled_error(nullptr));
    EXPECT_TRUE(detail::leaves_the_loop(std::make_exception_ptr(KeyboardInterrupt())));
    EXPECT_TRUE(detail::leaves_the_loop(std::make_exception_ptr(SystemExit(1))));
    EXPECT_FALSE(detail::leaves_the_loop(std::make_exception_ptr(CancelledError())));
    EXPECT_FALSE(detail::leaves_the_loop(nullptr));
}

TEST(ExceptionGroup, may_be_nested_as_deep_as_awaits) {
    testing::run_on_small_stack([] {
        std::exception_ptr error = type_error();
        for (int depth = 0; depth < 1'500; ++depth) {
            error = std::make_exception_ptr(ExceptionGroup("eg", {error}));
        }
        EXPECT_FALSE(describe(error).empty());
        {
            const ExceptionGroup group("top", {error});
            EXPECT_TRUE(group.contains<TypeError>());
            const auto split = group.split<RuntimeError>();
            EXPECT_FALSE(split.match);
            EXPECT_TRUE(split.rest);
        }
        error = nullptr;
    });
}

}  // namespace

}  // namespace asyncio
