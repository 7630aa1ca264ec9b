// file_status.cpp - struct statx, read.
//
// SPDX-License-Identifier: MIT
#include "file_status.hpp"

#include <cstring>

#include <sys/stat.h>
#include <sys/sysmacros.h>

namespace asyncio {

static std::int64_t nanoseconds(const statx_timestamp& time) noexcept {
    return time.tv_sec * 1'000'000'000 + time.tv_nsec;
}

files::Stat detail::to_stat(const lowlevel::FileStatus& status) noexcept {
    struct statx raw;
    static_assert(sizeof raw <= sizeof status.storage);
    std::memcpy(&raw, status.storage, sizeof raw);
    files::Stat stat;
    stat.st_mode = raw.stx_mode;
    stat.st_ino = raw.stx_ino;
    stat.st_dev = ::makedev(raw.stx_dev_major, raw.stx_dev_minor);
    stat.st_nlink = raw.stx_nlink;
    stat.st_uid = raw.stx_uid;
    stat.st_gid = raw.stx_gid;
    stat.st_size = static_cast<std::int64_t>(raw.stx_size);
    stat.st_blksize = raw.stx_blksize;
    stat.st_blocks = raw.stx_blocks;
    stat.st_atime_ns = nanoseconds(raw.stx_atime);
    stat.st_mtime_ns = nanoseconds(raw.stx_mtime);
    stat.st_ctime_ns = nanoseconds(raw.stx_ctime);
    if ((raw.stx_mask & STATX_BTIME) != 0) {
        stat.st_birthtime_ns = nanoseconds(raw.stx_btime);
    }
    return stat;
}

bool files::Stat::is_file() const noexcept {
    return S_ISREG(st_mode);
}

bool files::Stat::is_dir() const noexcept {
    return S_ISDIR(st_mode);
}

bool files::Stat::is_symlink() const noexcept {
    return S_ISLNK(st_mode);
}

}  // namespace asyncio
