// files.cpp - files that do not hold up the loop: writing, reading by line, replacing, looking
// about.
//
// SPDX-License-Identifier: MIT
#include <asyncio/asyncio.hpp>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include <stdlib.h>

using namespace asyncio;

Coroutine<int> count_words(std::string path) {
    File file = co_await files::open(path);
    int words = 0;
    while (auto line = co_await file.next()) {
        words += 1 + static_cast<int>(std::count(line->begin(), line->end(), ' '));
    }
    co_await file.close();
    co_return words;
}

Coroutine<> amain(std::string directory) {
    File poem = co_await files::open(directory + "/poem.txt", "w");
    co_await poem.write("the fog comes\n");
    const std::vector<std::string> rest{"on little cat feet\n", "it sits looking\n"};
    co_await poem.writelines(rest);
    co_await poem.close();
    co_await files::copyfile(directory + "/poem.txt", directory + "/copy.txt");

    // Both at once, and other tasks in between.
    auto [poem_words, copy_words] =
        co_await gather(count_words(directory + "/poem.txt"), count_words(directory + "/copy.txt"));
    std::printf("%d words, and %d in the copy\n", poem_words, copy_words);

    // Whoever reads it meanwhile sees all of the old one, or all of the new one.
    co_await files::write_file(directory + "/copy.txt", "nothing left\n", {.atomic = true});
    const std::string text = co_await files::read_file(directory + "/copy.txt");
    std::printf("%s", text.c_str());

    std::vector<std::string> names = co_await files::listdir(directory);
    std::sort(names.begin(), names.end());
    for (const std::string& name : names) {
        const files::Stat status = co_await files::stat(directory + "/" + name);
        std::printf("%s: %lld bytes\n", name.c_str(), static_cast<long long>(status.st_size));
        co_await files::remove(directory + "/" + name);
    }
    co_await files::rmdir(directory);

    auto gone = co_await as_result(files::open(directory + "/poem.txt"));
    std::printf("%s\n", describe(gone.error()).c_str());
}

int main() {
    char directory[] = "/tmp/asyncio-files-XXXXXX";
    if (::mkdtemp(directory) == nullptr) {
        std::perror("mkdtemp");
        return 1;
    }
    run(amain(directory));
}
