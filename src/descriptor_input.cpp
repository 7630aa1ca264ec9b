// descriptor_input.cpp - how a connection over a descriptor receives: for a task that reads, and
// for a receiver.
//
// SPDX-License-Identifier: MIT
#include "outgoing.hpp"
#include "receive_text.hpp"

#include <cerrno>
#include <memory>
#include <string>
#include <utility>

namespace asyncio::detail {

using lowlevel::Callback;
using lowlevel::Opcode;
using lowlevel::Operation;

void DescriptorConnection::start_input(Opcode opcode) noexcept {
    InputOperation& input = *this;
    input.opcode = opcode;
    input.set_function(&on_input);
    input_under_way_ = true;
    retain();
    loop()->start(input);
}

void DescriptorConnection::end_input() noexcept {
    input_under_way_ = false;
    release();
}

// ------------------------------------------------------------------------ for a task that reads

void DescriptorConnection::want_data() noexcept {
    if (!input_under_way_ && !closing_ && !ended()) {
        start_input(Opcode::poll_in);
    }
}

bool DescriptorConnection::receive(ReadWaiter& reader) {
    return !input_under_way_ && !closing_ && !ended() && receive_now(reader);
}

// True if the system had something to say.
bool DescriptorConnection::receive_now(ReadWaiter& reader) {
    const std::span<char> own = direct(reader);
    Operation operation(&run_nothing, opcodes_.receive, descriptor_.fileno());
    operation.data = own.empty() ? descriptor_.io()->scratch() : own.data();
    operation.size = own.empty() ? receive_size(reader, LoopIO::scratch_size) : own.size();
    if (!loop()->attempt(operation)) {
        found_nothing_ = operation.result == -EAGAIN;
        return false;
    }
    if (!own.empty() && operation.result > 0) {
        fed_directly(reader, static_cast<std::size_t>(operation.result));
    } else {
        received(operation.result, static_cast<const char*>(operation.data));
    }
    return true;
}

// The same, when there is something. A message as long as the last one is received into the string
// that the task will get, which spares a copy. If it is longer, the rest is received at once.
bool DescriptorConnection::receive_message(ReadWaiter& reader) {
    constexpr std::size_t least = std::size_t{4} * 1024;
    constexpr std::size_t most = std::size_t{64} * 1024;

    if (last_received_ < least || last_received_ >= most || !takes_text(reader)) {
        return receive_now(reader);
    }
    const std::size_t size = last_received_ + least / 8;
    std::string text;
    Operation operation(&run_nothing, opcodes_.receive, descriptor_.fileno());
    if (!receive_text(*loop(), operation, size, text)) {
        found_nothing_ = operation.result == -EAGAIN;
        return false;
    }
    if (operation.result <= 0 || text.size() < size / 2) {
        received(operation.result, text.data());
        return true;
    }
    last_received_ = static_cast<std::uint32_t>(text.size());
    const bool more = text.size() == size;
    feed_text(std::move(text));
    if (more) {
        receive_now(reader);
    }
    return true;
}

void DescriptorConnection::received(std::int64_t result, const char* data) {
    if (result > 0) {
        last_received_ = static_cast<std::uint32_t>(result);
        feed_data({data, static_cast<std::size_t>(result)});
    } else if (result == 0 || is_end(static_cast<int>(-result))) {
        feed_eof();
        input_ended();
    } else {
        fail(static_cast<int>(-result), "receive from ");
    }
}

// There is something to receive. The task that waits is to run in the next turn, as in CPython,
// which receives now and then schedules it. Here it is received when its turn has come, just before
// it runs: then a thousand connections that are ready at once need no thousand buffers, and what
// was received is still in the cache when the task looks at it.
void DescriptorConnection::on_input(Callback& callback) {
    auto& input = static_cast<InputOperation&>(static_cast<Operation&>(callback));
    auto& self = static_cast<DescriptorConnection&>(input);
    if (input.opcode == Opcode::poll_in && input.result >= 0 && !self.closing_ &&
        self.reader() != nullptr) {
        input.set_function(&on_delivery);
        self.loop()->schedule(input);
        return;
    }
    const StreamKeep keep(self);
    self.end_input();
    if (self.closing_) {
        return;
    }
    if (input.opcode == Opcode::poll_in) {
        self.input_ready(input.result);
    } else {
        self.input_done(input.result);
    }
}

// Nobody may want it by now: its reader was cancelled, or the receiver has stopped reading. What is
// buffered comes before what the system has.
void DescriptorConnection::input_ready(std::int64_t result) {
    if (reading() && has_buffered()) {
        push_guarded([this] { push_buffered(); });
    } else if (result < 0 && result != -ECANCELED) {
        fail(static_cast<int>(-result), "wait for ");
    } else if (reading()) {
        receive_pushed();
    } else if (reader_waits()) {
        want_data();
    }
}

// An operation has received, into a buffer of its own.
void DescriptorConnection::input_done(std::int64_t result) {
    const std::unique_ptr<char[]> buffer = std::move(receive_buffer_);
    try {
        received(result, buffer.get());
    } catch (...) {  // no memory
        force_close(std::current_exception());
    }
    if (reading()) {
        want_input();
    } else if (reader_waits() && !closing_) {
        start_input(Opcode::poll_in);
    }
}

void DescriptorConnection::on_delivery(Callback& callback) {
    auto& self = static_cast<DescriptorConnection&>(
        static_cast<InputOperation&>(static_cast<Operation&>(callback)));
    const StreamKeep keep(self);
    self.end_input();
    if (self.reading()) {  // there is a receiver by now
        self.want_input();
        return;
    }
    if (!self.reader_waits() || self.closing_) {
        return;
    }
    ReadWaiter& reader = *self.reader();
    bool satisfied = false;
    try {
        satisfied = self.receive_for(reader);
    } catch (...) {  // no memory
        self.force_close(std::current_exception());
    }
    if (satisfied) {
        run_task(reader);
    }
}

// True if the task may run; otherwise more is waited for. An attempt should succeed here, unless
// what there was has gone (poll_tries_anyway). If it is not made, because the proactor has no
// attempts or has had enough of them for this turn, an operation receives, with a buffer of its
// own.
bool DescriptorConnection::receive_for(ReadWaiter& reader) {
    constexpr int most_receives = 4;
    constexpr std::size_t buffer_size = std::size_t{16} * 1024;

    const Delivery delivery(reader);
    for (int i = 0; i < most_receives && !closing_; ++i) {
        if (!(i == 0 ? receive_message(reader) : receive_now(reader))) {
            if (i == 0 && !found_nothing_) {
                receive_buffer_ = std::make_unique<char[]>(buffer_size);
                InputOperation& input = *this;
                input.data = receive_buffer_.get();
                input.size = buffer_size;
                start_input(opcodes_.receive);
                return false;
            }
            break;
        }
        if (satisfies(reader)) {
            return true;
        }
    }
    if (!closing_) {
        start_input(Opcode::poll_in);
    }
    return false;
}

// --------------------------------------------------------------------------------- for a receiver

// With an operation under way there is nothing to do: when it ends, it finds that there is a reader
// again. But what is buffered does not wait until something arrives, as a task's poll_in would.
void DescriptorConnection::want_input() noexcept {
    InputOperation& input = *this;
    if (input_under_way_) {
        if (input.opcode == Opcode::poll_in && has_buffered()) {
            loop()->cancel(input);
        }
        return;
    }
    if (!has_buffered()) {
        start_input(Opcode::poll_in);
        return;
    }
    input.set_function(&on_buffered);
    input.completed = true;  // nobody is to cancel it
    input_under_way_ = true;
    retain();
    loop()->schedule(input);
}

// What was received for the task that read before there was a receiver, or the end.
void DescriptorConnection::on_buffered(Callback& callback) {
    auto& self = static_cast<DescriptorConnection&>(
        static_cast<InputOperation&>(static_cast<Operation&>(callback)));
    const StreamKeep keep(self);
    self.end_input();
    if (self.reading()) {
        self.push_guarded([&self] { self.push_buffered(); });
    }
}

// One receive for each time that the system says that there is something, as in CPython: so no
// connection keeps the others waiting. If an attempt does not succeed, because the proactor has
// none or has had enough of them for this turn, it is called.
void DescriptorConnection::receive_pushed() {
    push_guarded([this] {
        const std::span<char> own = receiver()->receive_buffer();
        if (!reading()) {
            return;
        }
        Operation operation(&run_nothing, opcodes_.receive, descriptor_.fileno());
        operation.data = own.empty() ? descriptor_.io()->scratch() : own.data();
        operation.size = own.empty() ? LoopIO::scratch_size : own.size();
        if (!loop()->attempt(operation)) {
            operation.result = loop()->call(operation);
        }
        if (operation.result > 0) {
            const LoopIO::Kept kept(*descriptor_.io());
            push({static_cast<char*>(operation.data), static_cast<std::size_t>(operation.result)});
        } else if (operation.result == 0 || is_end(static_cast<int>(-operation.result))) {
            push_end();
            input_ended();
        } else if (operation.result != -EAGAIN) {
            fail(static_cast<int>(-operation.result), "receive from ");
        }
    });
}

// What a receiver throws: see there. Whatever it has done meanwhile, it reads on if it wants to.
template <class Push>
void DescriptorConnection::push_guarded(Push push) {
    std::exception_ptr leaving;
    try {
        push();
    } catch (...) {
        leaving = std::current_exception();
        if (!leaves_the_loop(leaving)) {
            force_close(std::exchange(leaving, nullptr));
        }
    }
    if (reading()) {
        want_input();
    }
    if (leaving != nullptr) {
        std::rethrow_exception(leaving);
    }
}

}  // namespace asyncio::detail
