// file_transfers.cpp - reading until there is enough, and writing all.
//
// SPDX-License-Identifier: MIT
#include "file_transfers.hpp"

#include "grow_uncleared.hpp"

#include <algorithm>
#include <cerrno>
#include <new>

#include <unistd.h>

namespace asyncio::detail {

// Of one step: what is cancelled goes on for no longer than that.
static constexpr std::size_t most_at_once = std::size_t{4} * 1024 * 1024;

// --------------------------------------------------------------------------------- FileRead

bool FileRead::begin() noexcept {
    if (!beside_) {
        text_ = std::exchange(file().ahead, {});
        begin_ = scanned_ = std::exchange(file().ahead_begin, 0);
        used_ = text_.size();
        offset_ = file().position;
    }
    if (enough()) {
        return false;
    }
    if (!beside_) {
        block_ = file().next_block();
    }
    try {
        expect();
        aim_next();
    } catch (const std::bad_alloc&) {
        result = -ENOMEM;
        return false;
    }
    return true;
}

// Takes memory for what there will be, as far as that is known: a file may grow, and `count_` may
// be anybody's guess.
void FileRead::expect() {
    const auto left = static_cast<std::size_t>(std::max<std::int64_t>(file().size() - offset_, 0));
    if (until_ == Until::count) {
        text_.reserve(begin_ + std::min(count_, left));
    } else if (until_ == Until::end) {
        text_.reserve(used_ + left + 1);  // so that the end is found as soon as all is there
    }
}

bool FileRead::enough() noexcept {
    switch (until_) {
        case Until::count:
            return used_ - begin_ >= count_;
        case Until::line: {
            const std::size_t found = std::string_view(text_.data(), used_).find('\n', scanned_);
            line_end_ = found == std::string_view::npos ? 0 : found + 1;
            scanned_ = used_;
            return line_end_ != 0;
        }
        default:
            return false;
    }
}

// More than is asked for where that is little, so that the next one finds it; exactly as much where
// it is a lot; and of a whole file larger and larger pieces.
void FileRead::aim_next() {
    std::size_t bytes = block_;
    if (until_ == Until::count) {
        bytes = std::max(bytes, count_ - (used_ - begin_));
    } else if (until_ == Until::end) {
        // Into the room that there is; where that is used up, there is more than was expected.
        bytes =
            text_.capacity() > used_ ? text_.capacity() - used_ : std::max(bytes, used_ - begin_);
    }
    bytes = std::min(bytes, most_at_once);
    if (begin_ > 0 && text_.capacity() < used_ + bytes) {
        text_.erase(0, begin_);
        used_ -= begin_;
        scanned_ -= begin_;
        begin_ = 0;
    }
    text_.resize(used_);  // so that no more is copied
    grow_uncleared(text_, used_ + bytes);
    aim(false, text_.data() + used_, bytes, offset_);
}

bool FileRead::advance() noexcept {
    if (result <= 0) {
        at_end_ = result == 0;
        return true;
    }
    used_ += static_cast<std::size_t>(result);
    offset_ += result;
    if (enough()) {
        return true;
    }
    try {
        aim_next();
    } catch (const std::bad_alloc&) {
        result = -ENOMEM;
        return true;
    }
    return false;
}

void FileRead::finish() noexcept {
    text_.resize(used_);
    if (abandoned() || result < 0) {
        count_ = 0;  // it is there for the next one
    } else if (until_ == Until::end || (until_ == Until::line && line_end_ == 0)) {
        count_ = used_ - begin_;
    } else if (until_ == Until::line) {
        count_ = line_end_ - begin_;
    } else {
        count_ = std::min(count_, used_ - begin_);
    }
    try {
        if (begin_ == 0 && count_ == used_) {
            taken_ = std::exchange(text_, {});
        } else {
            taken_.assign(text_, begin_, count_);
            begin_ += count_;
        }
    } catch (const std::bad_alloc&) {
        result = -ENOMEM;
    }
    if (!beside_) {
        begin_ = text_.empty() ? 0 : begin_;
        file().keep_ahead(std::move(text_), begin_, offset_);
    }
}

// Unless somebody else has done something with the file meanwhile.
bool FileRead::take_back() noexcept {
    if (beside_ || count_ == 0) {
        return true;
    }
    if (!core_.idle() || core_.position != offset_) {
        return false;
    }
    if (core_.ahead.empty()) {
        core_.ahead = std::move(taken_);
        core_.ahead_begin = 0;
    } else if (core_.ahead_begin == begin_) {
        core_.ahead_begin -= count_;
    } else {
        return false;
    }
    return true;
}

// -------------------------------------------------------------------------------- FileWrite

bool FileWrite::begin() noexcept {
    if (bytes_.empty()) {
        return false;
    }
    if (at_.has_value()) {
        offset_ = *at_;
    } else {
        file().forget_ahead();
        if (!file().mode().appends && file().seekable()) {
            offset_ = file().position;
        }
    }
    aim_next();
    return true;
}

void FileWrite::aim_next() noexcept {
    aim(true, bytes_.data() + written_, std::min(bytes_.size() - written_, most_at_once), offset_);
}

bool FileWrite::advance() noexcept {
    if (result <= 0) {
        result = result == 0 ? -EIO : result;  // as if it could be tried for ever
        return true;
    }
    written_ += static_cast<std::size_t>(result);
    offset_ += offset_ >= 0 ? result : 0;
    if (written_ == bytes_.size()) {
        return true;
    }
    aim_next();
    return false;
}

void FileWrite::finish() noexcept {
    if (at_.has_value()) {
        file().spoil_ahead();
    } else if (written_ > 0) {
        if (offset_ >= 0) {
            file().position = offset_;
        } else if (file().seekable()) {
            const std::int64_t end = ::lseek(fd, 0, SEEK_CUR);  // behind what was appended
            file().position =
                end >= 0 ? end : file().position + static_cast<std::int64_t>(written_);
        }
    }
    file().note_failure(*this);
}

}  // namespace asyncio::detail
