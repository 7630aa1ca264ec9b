// bio.cpp - the methods of a BIO that reads and writes a TLSBuffer.
//
// SPDX-License-Identifier: MIT
#include "bio.hpp"

#include <exception>

namespace asyncio::detail {

static TLSBuffer& buffer_of(BIO* bio) noexcept {
    return *static_cast<TLSBuffer*>(BIO_get_data(bio));
}

static int read_bio(BIO* bio, char* into, int most) noexcept {
    BIO_clear_retry_flags(bio);
    if (into == nullptr || most <= 0) {
        return 0;
    }
    TLSBuffer& buffer = buffer_of(bio);
    const std::size_t size = buffer.take(into, static_cast<std::size_t>(most));
    if (size > 0) {
        return static_cast<int>(size);
    }
    if (buffer.eof()) {
        return 0;
    }
    BIO_set_retry_read(bio);
    return -1;
}

// Without memory it fails, and not for the moment only: a record that is half sent cannot be sent
// again.
static int write_bio(BIO* bio, const char* from, int size) noexcept {
    BIO_clear_retry_flags(bio);
    if (from == nullptr || size <= 0) {
        return 0;
    }
    try {
        buffer_of(bio).append({from, static_cast<std::size_t>(size)});
        return size;
    } catch (const std::exception&) {
        return -1;
    }
}

static long control_bio(BIO* bio, int command, long argument, void*) noexcept {
    switch (command) {
        case BIO_CTRL_EOF:
            return buffer_of(bio).eof() ? 1 : 0;
        case BIO_CTRL_PENDING:
            return static_cast<long>(buffer_of(bio).pending());
        case BIO_CTRL_GET_CLOSE:
            return BIO_get_shutdown(bio);
        case BIO_CTRL_SET_CLOSE:
            BIO_set_shutdown(bio, static_cast<int>(argument));
            return 1;
        case BIO_CTRL_FLUSH:
        case BIO_CTRL_DUP:
            return 1;
        default:
            return 0;
    }
}

// Made once and kept: connections that outlive the statics of a program still use it.
static BIO_METHOD* make_methods() {
    BIO_METHOD* const methods =
        BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "asyncio buffer");
    if (methods == nullptr) {
        raise_error("BIO_meth_new() failed");
    }
    BIO_meth_set_read(methods, &read_bio);
    BIO_meth_set_write(methods, &write_bio);
    BIO_meth_set_ctrl(methods, &control_bio);
    return methods;
}

BIOPtr buffer_bio(TLSBuffer& buffer) {
    static const BIO_METHOD* const methods = make_methods();
    BIOPtr bio(BIO_new(methods));
    if (bio == nullptr) {
        raise_error("BIO_new() failed");
    }
    BIO_set_data(bio.get(), &buffer);
    BIO_set_init(bio.get(), 1);
    return bio;
}

}  // namespace asyncio::detail
