// SPDX-License-Identifier: MIT
#include "pair.hpp"

#include <algorithm>
#include <memory>

struct Watcher : SubprocessProtocol {
    void connection_made(SubprocessTransport& made) override {
        print("made");
        transport = &made;
    }
    void pipe_data_received(int fd, std::string_view bytes) override { data[fd] += bytes; }
    void pipe_connection_lost(int fd, std::exception_ptr exc) override {
        events.push_back("pipe " + std::to_string(fd) + " lost " + describe(exc));
    }
    void process_exited() override {
        events.push_back("exited " + std::to_string(*transport->get_returncode()));
    }
    void connection_lost(std::exception_ptr exc) override {
        std::sort(events.begin(), events.end());
        for (const std::string& event : events) {
            print(event);
        }
        print("lost", describe(exc));
        done.set_result();
    }

    SubprocessTransport* transport = nullptr;
    std::string data[3];
    std::vector<std::string> events;
    Future<> done = loop().create_future();
};

std::unique_ptr<Watcher> make_watcher() {
    return std::make_unique<Watcher>();
}

std::string strip(std::string text) {
    while (!text.empty() && text.back() == '\n') {
        text.pop_back();
    }
    return text;
}

Coroutine<> amain() {
    {
        auto [transport, protocol] = co_await subprocess_exec(
            make_watcher, "/bin/sh", "-c", "read x; echo out $x; echo err >&2; exit 3");
        auto& input = dynamic_cast<WriteTransport&>(*transport.get_pipe_transport(0));
        input.write("line\n");
        input.close();
        co_await protocol->done;
        print(strip(protocol->data[1]), strip(protocol->data[2]));
    }
    {
        auto [transport, protocol] = co_await subprocess_shell(
            make_watcher, "echo both; echo both >&2", {.stdin_ = DEVNULL, .stderr_ = STDOUT});
        print(transport.get_pipe_transport(0) == nullptr,
              transport.get_pipe_transport(2) == nullptr);
        co_await protocol->done;
        print("['both', 'both']" + std::string(protocol->data[1] == "both\nboth\n" ? "" : "?"));
    }
    {
        auto [transport, protocol] = co_await subprocess_exec(make_watcher, "cat");
        transport.close();
        print(transport.is_closing());
        co_await protocol->done;
    }
    {
        auto [transport, protocol] = co_await subprocess_exec(make_watcher, "cat");
        transport.terminate();
        co_await protocol->done;
    }
}

int main() {
    run(amain());
}
