// SPDX-License-Identifier: MIT
#include "pair.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

Coroutine<> polls() {
    for (int i = 0; i < 5; ++i) {
        co_await sleep(0.001);
    }
}

template <class Fn>
void attempt(const char* what, Fn fn) {
    try {
        print(what, fn());
    } catch (const std::exception&) {
        const std::string kind = err();
        print(what, kind.substr(0, kind.find('(')));
    }
}

std::string receive(int fd, std::size_t n) {
    std::string data(n, '\0');
    const auto size = ::recv(fd, data.data(), data.size(), 0);
    data.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
    return data;
}

void send(int fd, std::string_view data) {
    static_cast<void>(::send(fd, data.data(), data.size(), 0));
}

std::string add(int fd) {
    add_reader(fd, [] {});
    return "None";
}

Coroutine<> main_() {
    loop().set_exception_handler([](EventLoop&, const ExceptionContext& context) {
        print(context.message, describe(context.exception));
    });
    int fds[2];
    static_cast<void>(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds));
    const int ours = fds[0];
    const int theirs = fds[1];

    print("remove", remove_reader(ours), remove_writer(ours));

    const auto read = [ours](const std::string& name, int n) {
        print(name, "reads", receive(ours, static_cast<std::size_t>(n)));
        loop().call_soon([name] { print("after", name); });
    };
    add_reader(ours, read, std::string("first"), 1);
    co_await polls();
    send(theirs, "abc");
    co_await polls();

    add_reader(ours, read, std::string("second"), 10);
    send(theirs, "def");
    co_await polls();

    add_writer(ours, [ours] {
        print("writes");
        print("remove", remove_writer(ours));
        print("remove", remove_writer(ours));
    });
    co_await polls();
    send(theirs, "ghi");
    co_await polls();

    add_reader(ours, [ours] {
        receive(ours, 1);
        throw RuntimeError("oops");
    });
    send(theirs, "jk");
    co_await polls();

    add_reader(ours, [ours] {
        const std::string data = receive(ours, 10);
        print("ends with", data.empty() ? "nothing" : data);
        if (data.empty()) {
            print("remove", remove_reader(ours));
        }
    });
    send(theirs, "l");
    ::close(theirs);
    co_await polls();
    print("remove", remove_reader(ours));

    attempt("negative", [] { return add(-1); });
    attempt("negative", [] { return remove_reader(-1); });
    const int null = ::open("/dev/null", O_RDONLY);
    attempt("always ready", [null] { return add(null); });
    attempt("always ready", [null] { return remove_reader(null); });
    ::close(null);
    attempt("closed", [null] { return add(null); });
    ::close(ours);
}

int main() {
    run(main_());
}
