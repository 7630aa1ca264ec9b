// soak_without_tls.cpp - there are none.
//
// SPDX-License-Identifier: MIT
#include "soak.hpp"

namespace stress {

TLSContexts tls_contexts() {
    return {};
}

}  // namespace stress
