// subprocess_transport.hpp - what connects a SubprocessProtocol with a child process:
// ChildTransport.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/detail/context_slot.hpp>
#include <asyncio/subprocess.hpp>

#include "child.hpp"
#include "process_state.hpp"
#include "protocol_transport.hpp"

#include <array>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace asyncio::detail {

/// The transport of a SubprocessProtocol. Each of its pipes is a transport of its own, whose
/// protocol passes on what happens. It keeps itself, and its protocol, until the process has ended
/// and the pipes are closed, or the loop is.
class ChildTransport final : public SubprocessTransport,
                             public std::enable_shared_from_this<ChildTransport>,
                             private ChildOwner,
                             private lowlevel::Callback {
public:
    ChildTransport(Child& child, std::shared_ptr<BaseProtocol> protocol);
    ~ChildTransport() override;

    /// In the next turn the protocol is told that there is a process, then `ready` is made done,
    /// and from then on its pipes are read.
    void begin(StartedChild& started, Future<> ready);

    [[nodiscard]] std::optional<std::string> get_extra_info(std::string_view name) const override;
    [[nodiscard]] bool is_closing() const override { return closed_; }
    void close() override;
    void set_protocol(std::shared_ptr<BaseProtocol> protocol) override;
    [[nodiscard]] std::shared_ptr<BaseProtocol> get_protocol() const override { return protocol_; }
    [[nodiscard]] std::string repr() const override;

    [[nodiscard]] int get_pid() const override { return child_.pid(); }
    [[nodiscard]] std::optional<int> get_returncode() const override { return child_.returncode(); }
    [[nodiscard]] BaseTransport* get_pipe_transport(int fd) const override;
    void send_signal(int signal) override { child_.send_signal(signal); }
    void terminate() override;
    void kill() override;

    // Of the pipes.
    void pipe_data_received(int fd, std::string_view data);
    void pipe_lost(int fd, std::exception_ptr error);
    void pause_writing();
    void resume_writing();

private:
    struct PipeEnd {
        std::shared_ptr<ProtocolTransport> transport;
        bool lost = false;
    };

    void child_exited() override;
    void child_dropped() noexcept override;

    void open_pipe_end(int fd, Socket descriptor);
    static void on_event(lowlevel::Callback& callback);
    void made();
    void lost();
    void finish_if_done();
    template <class Call>
    void tell(Call call);
    [[nodiscard]] SubprocessProtocol* subprocess() const noexcept;

    Child& child_;  // counted
    std::shared_ptr<BaseProtocol> protocol_;
    std::shared_ptr<ChildTransport> self_;
    std::array<PipeEnd, 3> pipes_;
    Future<> ready_;
    ContextSlot context_;  // of whoever made it, a copy: what its protocol is called in
    bool made_ = false;
    bool closed_ = false;
    bool finished_ = false;
};

}  // namespace asyncio::detail
