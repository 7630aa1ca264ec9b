// SPDX-License-Identifier: MIT
#include "pair.hpp"

#include <memory>

#include <fcntl.h>

struct Recorder : Protocol {
    explicit Recorder(std::string called) : name(std::move(called)) {}

    void connection_made(Transport&) override { print(name, "made"); }
    void data_received(std::string_view data) override { print(name, std::string(data)); }
    bool eof_received() override {
        print(name, "eof");
        return true;
    }
    void pause_writing() override { print(name, "pause"); }
    void resume_writing() override { print(name, "resume"); }
    void connection_lost(std::exception_ptr exc) override {
        const std::string text = describe(exc);
        print(name, "lost", text.substr(0, text.find('(')));
        done.set_result();
    }

    std::string name;
    Future<> done = loop().create_future();
};

std::unique_ptr<Recorder> make_reader() {
    return std::make_unique<Recorder>("reader");
}
std::unique_ptr<Recorder> make_writer() {
    return std::make_unique<Recorder>("writer");
}

Coroutine<> amain() {
    {
        auto [r, w] = open_pipe();
        auto [reading, reader] = co_await connect_read_pipe(make_reader, std::move(r));
        auto [writing, writer] = co_await connect_write_pipe(make_writer, std::move(w));
        writing.write("one");
        co_await sleep(0.01);
        reading.pause_reading();
        writing.write("two");
        co_await sleep(0.01);
        print("paused", reading.is_reading());
        reading.resume_reading();
        co_await sleep(0.01);
        writing.write_eof();
        co_await reader->done;
        co_await writer->done;
    }
    {
        auto [r, w] = open_pipe();
        auto [writing, writer] = co_await connect_write_pipe(make_writer, std::move(w));
        r.close();
        co_await writer->done;
    }
    {
        auto [r, w] = open_pipe();
        auto [writing, writer] = co_await connect_write_pipe(make_writer, std::move(w));
        writing.write(std::string(200'000, 'x'));
        print(writing.get_write_buffer_size() > 0);
        r.close();
        co_await writer->done;
    }
    {
        auto [r, w] = open_pipe();
        auto [writing, writer] = co_await connect_write_pipe(make_writer, std::move(w));
        writing.write(std::string(200'000, 'x'));
        writing.abort();
        co_await writer->done;
    }
    Pipe file(::open("/etc/passwd", O_RDONLY));
    const auto read = co_await as_result(connect_read_pipe(make_reader, std::move(file)));
    print(describe(read.error()));
    file = Pipe(::open("/etc/passwd", O_RDONLY));
    const auto written = co_await as_result(connect_write_pipe(make_writer, std::move(file)));
    print(describe(written.error()));
}

int main() {
    run(amain());
}
