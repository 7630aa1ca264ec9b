// subprocess_transport.cpp - how a protocol is told what happens to a process.
//
// SPDX-License-Identifier: MIT
#include "subprocess_transport.hpp"

#include <asyncio/log.hpp>
#include <asyncio/result.hpp>

#include "attach_protocol.hpp"
#include "report.hpp"

#include <csignal>
#include <utility>

namespace asyncio::detail {

using lowlevel::Callback;

namespace {

/// Passes on what happens to one of the pipes. The transport outlives it.
class PipeProtocol final : public Protocol {
public:
    PipeProtocol(ChildTransport& process, int fd) noexcept : process_(process), fd_(fd) {}

    void data_received(std::string_view data) override { process_.pipe_data_received(fd_, data); }
    void connection_lost(std::exception_ptr error) override {
        process_.pipe_lost(fd_, std::move(error));
    }
    void pause_writing() override { process_.pause_writing(); }
    void resume_writing() override { process_.resume_writing(); }

private:
    ChildTransport& process_;
    int fd_;
};

}  // namespace

ChildTransport::ChildTransport(Child& child, std::shared_ptr<BaseProtocol> protocol)
    : Callback(&on_event), child_(child), protocol_(std::move(protocol)) {
    child_.retain();
    capture_context(context_, nullptr);
}

ChildTransport::~ChildTransport() {
    child_.set_owner(nullptr);
    child_.release();
}

void ChildTransport::begin(StartedChild& started, Future<> ready) {
    for (int fd = 0; fd < 3; ++fd) {
        if (Socket& descriptor = started.pipes[static_cast<std::size_t>(fd)]) {
            open_pipe_end(fd, std::move(descriptor));
        }
    }
    ready_ = std::move(ready);
    self_ = shared_from_this();
    TransportOf::set(*protocol_, self_);
    child_.set_owner(this);
    // In this order: whatever the protocol does with its pipes, their transports have begun; and
    // nothing is read before it knows of them.
    for (const PipeEnd& end : pipes_) {
        if (end.transport != nullptr) {
            end.transport->begin(Future<>());
        }
    }
    child_.io().loop()->schedule(static_cast<Callback&>(*this));
}

void ChildTransport::open_pipe_end(int fd, Socket descriptor) {
    auto* const pipe =
        new PipeConnection(child_.io(), {std::move(descriptor)}, default_stream_limit,
                           fd == 0 ? PipeDirection::write : PipeDirection::read);
    pipes_[static_cast<std::size_t>(fd)].transport = std::make_shared<ProtocolTransport>(
        StreamHandle(*pipe), std::make_shared<PipeProtocol>(*this, fd));
}

// It runs twice: at the beginning and at the end.
void ChildTransport::on_event(Callback& callback) {
    auto& self = static_cast<ChildTransport&>(callback);
    const std::shared_ptr<ChildTransport> keep = self.self_;
    if (self.made_) {
        self.lost();
    } else {
        self.made();
    }
}

void ChildTransport::made() {
    made_ = true;
    const Future<> ready = std::exchange(ready_, Future<>());
    struct GoOn {  // also when a SystemExit leaves connection_made()
        const Future<>& ready;
        ~GoOn() {
            if (!ready.done()) {
                ready.set_result();
            }
        }
    } go_on{ready};
    tell([this] {
        if (SubprocessProtocol* const protocol = subprocess()) {
            protocol->connection_made(*this);
        } else {
            protocol_->connection_made(*this);
        }
    });
}

// ------------------------------------------------------------------------------- as a transport

std::optional<std::string> ChildTransport::get_extra_info(std::string_view name) const {
    return name == "subprocess" ? std::optional(std::to_string(get_pid())) : std::nullopt;
}

void ChildTransport::close() {
    if (std::exchange(closed_, true)) {
        return;
    }
    for (const PipeEnd& end : pipes_) {
        if (end.transport != nullptr) {
            end.transport->close();
        }
    }
    if (!child_.returncode().has_value() && !child_.orphaned()) {
        if (child_.io().loop()->get_debug()) {
            log(Level::warning, "Close running child process: kill " + repr());
        }
        child_.kill();
    }
}

// The one before may be running: it is kept until the next turn.
void ChildTransport::set_protocol(std::shared_ptr<BaseProtocol> protocol) {
    if (protocol == nullptr) {
        raise_value_error("a transport must have a protocol");
    }
    if (protocol_ == nullptr || child_.io().loop() == nullptr) {
        return;
    }
    child_.io().loop()->call_soon([before = protocol_] {});
    TransportOf::set(*protocol, shared_from_this());
    protocol_ = std::move(protocol);
}

BaseTransport* ChildTransport::get_pipe_transport(int fd) const {
    return fd >= 0 && fd < 3 ? pipes_[static_cast<std::size_t>(fd)].transport.get() : nullptr;
}

void ChildTransport::terminate() {
    send_signal(SIGTERM);
}
void ChildTransport::kill() {
    send_signal(SIGKILL);
}

std::string ChildTransport::repr() const {
    std::string text = std::string("<SubprocessTransport") + (closed_ ? " closed" : "") +
                       " pid=" + std::to_string(get_pid());
    if (const std::optional<int> code = get_returncode()) {
        text += " returncode=" + std::to_string(*code);
    } else {
        text += " running";
    }
    static constexpr std::array names{"stdin", "stdout", "stderr"};
    for (std::size_t fd = 0; fd < names.size(); ++fd) {
        if (pipes_[fd].transport != nullptr) {
            text += std::string(" ") + names[fd] + "=" + pipes_[fd].transport->repr();
        }
    }
    return text + ">";
}

// ------------------------------------------------------------------------------------- events

SubprocessProtocol* ChildTransport::subprocess() const noexcept {
    return dynamic_cast<SubprocessProtocol*>(protocol_.get());
}

// What a callback throws, nobody else can be told.
template <class Call>
void ChildTransport::tell(Call call) {
    const std::shared_ptr<BaseProtocol> keep = protocol_;
    const ContextScope scope(context_, ContextScope::Again());
    try {
        call();
    } catch (...) {
        ExceptionContext context;
        context.exception = std::current_exception();
        if (leaves_the_loop(context.exception)) {
            throw;
        }
        set_message(context, [] { return "Exception in callback"; });
        context.transport = this;
        context.protocol = protocol_.get();
        child_.io().loop()->call_exception_handler(context);
    }
}

void ChildTransport::pipe_data_received(int fd, std::string_view data) {
    tell([this, fd, data] {
        if (SubprocessProtocol* const protocol = subprocess()) {
            protocol->pipe_data_received(fd, data);
        }
    });
}

void ChildTransport::pipe_lost(int fd, std::exception_ptr error) {
    const std::shared_ptr<ChildTransport> keep = self_;
    pipes_[static_cast<std::size_t>(fd)].lost = true;
    struct Finish {
        ChildTransport& transport;
        ~Finish() { transport.finish_if_done(); }
    } finish{*this};
    tell([this, fd, &error] {
        if (SubprocessProtocol* const protocol = subprocess()) {
            protocol->pipe_connection_lost(fd, error);
        }
    });
}

void ChildTransport::pause_writing() {
    tell([this] { protocol_->pause_writing(); });
}

void ChildTransport::resume_writing() {
    tell([this] { protocol_->resume_writing(); });
}

void ChildTransport::child_exited() {
    const std::shared_ptr<ChildTransport> keep = self_;
    struct Finish {
        ChildTransport& transport;
        ~Finish() { transport.finish_if_done(); }
    } finish{*this};
    tell([this] {
        if (SubprocessProtocol* const protocol = subprocess()) {
            protocol->process_exited();
        }
    });
}

// All in the right order: this is the last.
void ChildTransport::finish_if_done() {
    if (finished_ || !child_.returncode().has_value()) {
        return;
    }
    for (const PipeEnd& end : pipes_) {
        if (end.transport != nullptr && !end.lost) {
            return;
        }
    }
    finished_ = true;
    child_.io().loop()->schedule(static_cast<Callback&>(*this));
}

void ChildTransport::lost() {
    self_ = nullptr;
    struct Leave {
        ChildTransport& transport;
        ~Leave() { transport.protocol_ = nullptr; }
    } leave{*this};
    tell([this] { protocol_->connection_lost(nullptr); });
}

void ChildTransport::child_dropped() noexcept {
    const std::shared_ptr<ChildTransport> keep = std::exchange(self_, nullptr);
    if (Callback& callback = *this; callback.linked()) {
        callback.unlink();
    }
    ready_ = Future<>();
    protocol_ = nullptr;
}

// --------------------------------------------------------------------------------------- start

namespace {

Coroutine<UntypedPair<SubprocessTransport>> start(MakeProtocol make, ProcessRequest request) {
    co_await request.look_up_names();
    std::shared_ptr<BaseProtocol> protocol = protocol_made_by(make);
    LoopIO& io = LoopIO::of(get_running_loop());
    const Future<> ready = get_running_loop().create_future();
    StartedChild started = start_child(io, request);
    std::shared_ptr<ChildTransport> transport;
    try {
        transport = std::make_shared<ChildTransport>(*started.child, protocol);
        transport->begin(started, ready);
    } catch (...) {
        started.child->kill();
        throw;
    }
    const Result<void> waited = co_await as_result(ready);
    if (!waited.has_value()) {  // cancelled
        transport->close();
        std::rethrow_exception(waited.error());
    }
    co_return UntypedPair<SubprocessTransport>{transport.get(), std::move(protocol)};
}

}  // namespace

Coroutine<UntypedPair<SubprocessTransport>> start_subprocess(MakeProtocol make,
                                                             std::vector<std::string> arguments,
                                                             const SubprocessOptions& options) {
    SubprocessOptions with_pipes = options;
    for (Stdio* stream : {&with_pipes.stdin_, &with_pipes.stdout_, &with_pipes.stderr_}) {
        if (*stream == Stdio() && !options.pty.has_value()) {
            *stream = PIPE;
        }
    }
    return start(std::move(make), ProcessRequest(std::move(arguments), with_pipes));
}

}  // namespace asyncio::detail
