// shared_memory.cpp - memfd_create() and shm_open(), mapped.
//
// SPDX-License-Identifier: MIT
#include <asyncio/detail/processes/shared_memory.hpp>

#include <asyncio/exceptions.hpp>

#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace asyncio {

namespace {

// Python's names have no slash; the system's begin with one.
std::string name_for_system(std::string_view name) {
    return name.starts_with('/') ? std::string(name) : '/' + std::string(name);
}

FileDescriptor open_memory(const SharedMemoryOptions& options) {
    if (options.create && options.size == 0) {
        detail::raise_value_error("'size' must be a positive number different from zero");
    }
    if (options.name.find('\0') != std::string_view::npos) {
        detail::raise_value_error("embedded null byte");
    }
    if (options.name.empty()) {
        if (!options.create) {
            detail::raise_value_error("'name' can only be empty if create=true");
        }
        return FileDescriptor(::memfd_create("asyncio-shared", MFD_CLOEXEC));
    }
    const std::string name = name_for_system(options.name);
    constexpr mode_t for_the_owner = 0600;
    const int flags = O_RDWR | O_CLOEXEC | (options.create ? O_CREAT | O_EXCL : 0);
    return FileDescriptor(::shm_open(name.c_str(), flags, for_the_owner));
}

}  // namespace

SharedMemory::SharedMemory(SharedMemoryOptions options)
    : fd_(open_memory(options)), name_(options.name) {
    const std::string what = "open shared memory '" + name_ + "'";
    if (!fd_) {
        detail::raise_os_error(errno, what);
    }
    try {
        if (options.create && ::ftruncate(fd_.fileno(), static_cast<off_t>(options.size)) != 0) {
            detail::raise_os_error(errno, what);
        }
        map();
    } catch (...) {
        if (options.create && !name_.empty()) {
            ::shm_unlink(name_for_system(name_).c_str());
        }
        throw;
    }
}

SharedMemory::SharedMemory(FileDescriptor fd, std::string name)
    : fd_(std::move(fd)), name_(std::move(name)) {
    map();
}

SharedMemory SharedMemory::from_descriptor(FileDescriptor fd, std::string name) {
    return {std::move(fd), std::move(name)};
}

// As much as there is, whoever says what.
void SharedMemory::map() {
    struct stat status{};
    if (::fstat(fd_.fileno(), &status) != 0) {
        detail::raise_os_error(errno, "map shared memory");
    }
    const auto size = static_cast<std::size_t>(status.st_size);
    void* const data = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd_.fileno(), 0);
    if (data == MAP_FAILED) {
        detail::raise_os_error(errno, "map shared memory");
    }
    data_ = data;
    size_ = size;
}

void SharedMemory::close() noexcept {
    if (data_ != nullptr) {
        ::munmap(std::exchange(data_, nullptr), std::exchange(size_, 0));
    }
    fd_.close();
}

void SharedMemory::unlink() const {
    if (!name_.empty() && ::shm_unlink(name_for_system(name_).c_str()) != 0) {
        detail::raise_os_error(errno, "unlink shared memory '" + name_ + "'");
    }
}

void SharedMemory::swap(SharedMemory& other) noexcept {
    std::swap(fd_, other.fd_);
    std::swap(name_, other.name_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
}

}  // namespace asyncio
