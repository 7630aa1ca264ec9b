// whole_files.cpp - read_file() and write_file(): from opening to closing in one call.
//
// In a thread that is one way there and back, instead of one for each step.
// SPDX-License-Identifier: MIT
#include <asyncio/files.hpp>

#include "file_io.hpp"
#include "file_paths.hpp"
#include "file_status.hpp"
#include "grow_uncleared.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <new>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace asyncio {

namespace detail {

using lowlevel::Opcode;

namespace {

constexpr std::size_t most_at_once = std::size_t{4} * 1024 * 1024;

/// A call that has a descriptor for some of its steps.
class WholeFileCall : public FileCall {
protected:
    WholeFileCall(FileIO& io, std::string path) noexcept
        : FileCall(io, Opcode::open_file), path_(std::move(path)) {
        request_.path = path_.c_str();
    }
    ~WholeFileCall() override {
        if (fd >= 0) {
            ::close(fd);
        }
    }

    void aim_open(const std::string& path, int flags, std::uint32_t permissions) noexcept {
        request_.path = path.c_str();
        request_.flags = flags;
        request_.mode = permissions;
        aim(Opcode::open_file);
    }
    void aim_transfer(Opcode step, char* buffer, std::size_t bytes) noexcept {
        request_.buffer = buffer;
        request_.offset = -1;
        size = std::min(bytes, most_at_once);
        aim(step);
    }

    std::string path_;
};

class ReadWholeFile final : public WholeFileCall {
public:
    ReadWholeFile(FileIO& io, std::string path) noexcept : WholeFileCall(io, std::move(path)) {
        request_.status = &status_;
        request_.flags = O_RDONLY;
    }

    [[nodiscard]] std::string take() noexcept { return std::move(text_); }

private:
    bool advance() noexcept override {
        if (result < 0) {
            return true;
        }
        try {
            return next();
        } catch (const std::bad_alloc&) {
            result = -ENOMEM;
            return true;
        }
    }
    bool next() {
        switch (opcode) {
            case Opcode::open_file:
                fd = static_cast<int>(result);
                request_.path = nullptr;
                aim(Opcode::status);
                return false;
            case Opcode::status: {
                // One byte more, so that the end is seen at once. What lies about its size, as
                // /proc does, is read until there is no more.
                const std::int64_t known = to_stat(status_).st_size;
                room_ = static_cast<std::size_t>(std::max<std::int64_t>(known, 4095)) + 1;
                aim_read();
                return false;
            }
            case Opcode::read_at:
                used_ += static_cast<std::size_t>(result);
                if (result > 0) {
                    aim_read();
                    return false;
                }
                text_.resize(used_);
                aim(Opcode::close_file);
                return false;
            default:
                fd = -1;
                return true;
        }
    }
    void aim_read() {
        if (used_ == room_) {
            room_ *= 2;
        }
        const std::size_t bytes = std::min(room_ - used_, most_at_once);
        text_.resize(used_);
        if (used_ == 0) {
            text_.reserve(room_);
        }
        grow_uncleared(text_, used_ + bytes);
        aim_transfer(Opcode::read_at, text_.data() + used_, bytes);
    }

    lowlevel::FileStatus status_;
    std::string text_;
    std::size_t used_ = 0;
    std::size_t room_ = 0;
};

/// Once begun, it is carried through, so that nobody is left with half of a file.
class WriteWholeFile final : public WholeFileCall {
public:
    WriteWholeFile(FileIO& io, std::string path, std::string bytes,
                   const files::WriteFileOptions& options, std::uint64_t random)
        : WholeFileCall(io, std::move(path)),
          bytes_(std::move(bytes)),
          options_(options),
          random_(random) {
        request_.status = &status_;
    }

private:
    // In this order; without `atomic` only what is in the middle.
    enum class Step : std::uint8_t {
        ask,     // what permissions the file has that is replaced
        open,    //
        write,   //
        sync,    //
        close,   //
        rename,  //
        open_directory,
        sync_directory,
        close_directory,
        clean_up,  // the temporary file of one that failed
    };

    [[nodiscard]] bool goes_through() const noexcept override { return true; }

    bool begin() noexcept override {
        try {
            if (options_.atomic) {
                name_temporary();
                step_ = Step::ask;
                aim(Opcode::status);
            } else {
                aim_step(Step::open);
            }
            return true;
        } catch (const std::bad_alloc&) {
            result = -ENOMEM;
            return false;
        }
    }

    bool advance() noexcept override {
        switch (step_) {
            case Step::ask:
                exists_ = result >= 0 && to_stat(status_).is_file();
                return aim_step(Step::open);
            case Step::open:
                if (result == -EEXIST && options_.atomic && ++random_ != 0) {
                    name_temporary();
                    return aim_step(Step::open);
                }
                if (result < 0) {
                    return true;
                }
                fd = static_cast<int>(result);
                if (exists_) {
                    ::fchmod(fd, to_stat(status_).st_mode & 07777);
                }
                return aim_step(Step::write);
            case Step::write:
                if (result < 0) {
                    return fail();
                }
                written_ += static_cast<std::size_t>(result);
                if (written_ < bytes_.size()) {
                    return result == 0 ? fail(-EIO) : aim_step(Step::write);
                }
                return aim_step(options_.atomic || options_.sync ? Step::sync : Step::close);
            case Step::sync:
                return result < 0 ? fail() : aim_step(Step::close);
            case Step::close:
                fd = -1;
                if (failure_ == 0 && result < 0) {
                    failure_ = result;
                }
                if (options_.atomic) {
                    return aim_step(failure_ == 0 ? Step::rename : Step::clean_up);
                }
                return end();
            case Step::rename:
                if (result < 0) {
                    failure_ = result;
                    return aim_step(Step::clean_up);
                }
                return aim_step(Step::open_directory);
            case Step::open_directory:
                if (result < 0) {
                    return end();  // one that may be written to and not read: it is replaced
                }
                fd = static_cast<int>(result);
                return aim_step(Step::sync_directory);
            case Step::sync_directory:
                failure_ = result < 0 && result != -EINVAL ? result : 0;
                return aim_step(Step::close_directory);
            case Step::close_directory:
                fd = -1;
                return end();
            default:
                return end();
        }
    }

    bool fail(std::int64_t error) noexcept {
        failure_ = error;
        return aim_step(Step::close);
    }
    bool fail() noexcept { return fail(result); }
    bool end() noexcept {
        result = failure_;
        return true;
    }

    bool aim_step(Step step) noexcept {
        step_ = step;
        switch (step) {
            case Step::open:
                aim_open(written_path(), O_WRONLY | O_CREAT | (options_.atomic ? O_EXCL : O_TRUNC),
                         options_.permissions);
                break;
            case Step::write:
                aim_transfer(Opcode::write_at, bytes_.data() + written_, bytes_.size() - written_);
                break;
            case Step::sync:
            case Step::sync_directory:
                aim(Opcode::sync);
                break;
            case Step::rename:
                request_.path = temporary_.c_str();
                request_.target = path_.c_str();
                request_.flags = 0;
                aim(Opcode::rename);
                break;
            case Step::open_directory:
                aim_open(directory_, O_RDONLY | O_DIRECTORY, 0);
                break;
            case Step::clean_up:
                request_.path = temporary_.c_str();
                request_.flags = 0;
                aim(Opcode::unlink);
                break;
            default:
                aim(Opcode::close_file);
        }
        return false;
    }

    [[nodiscard]] const std::string& written_path() const noexcept {
        return options_.atomic ? temporary_ : path_;
    }

    // In the same directory: only there it can be renamed to the file. No longer than a name may
    // be, and no more memory the second time.
    void name_temporary() {
        const std::size_t slash = path_.rfind('/');
        const std::size_t name = slash == std::string::npos ? 0 : slash + 1;
        char number[32];
        std::snprintf(number, sizeof number, ".%016llx.tmp",
                      static_cast<unsigned long long>(random_));
        directory_ = name == 0 ? "." : path_.substr(0, name);
        temporary_ = path_.substr(0, name) + "." + path_.substr(name, 200) + number;
    }

    std::string bytes_;
    files::WriteFileOptions options_;
    std::uint64_t random_;
    std::string temporary_;
    std::string directory_;
    lowlevel::FileStatus status_;
    std::size_t written_ = 0;
    std::int64_t failure_ = 0;
    Step step_ = Step::open;
    bool exists_ = false;
};

Coroutine<std::string> read_whole_file(std::string path) {
    const FileCallRef call(new ReadWholeFile(FileIO::of(get_running_loop()), path));
    co_await end_of(*call);
    call->check("read", path);
    co_return call->take();
}

Coroutine<> write_whole(std::string path, std::string bytes, files::WriteFileOptions options) {
    EventLoop& loop = get_running_loop();
    const FileCallRef call(new WriteWholeFile(FileIO::of(loop), path, std::move(bytes), options,
                                              loop.proactor().random()));
    co_await end_of(*call);
    call->check("write", path);
}

}  // namespace

}  // namespace detail

Coroutine<std::string> files::read_file(std::string_view path) {
    return detail::read_whole_file(detail::checked_path(path));
}

Coroutine<> detail::write_whole_file(std::string_view path, std::string bytes,
                                     files::WriteFileOptions options) {
    return write_whole(checked_path(path), std::move(bytes), options);
}

}  // namespace asyncio
