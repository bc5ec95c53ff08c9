// An installed kith, used by projects that know nothing of its sources; and what the shared library shows and needs.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>

namespace {

namespace fs = std::filesystem;

struct Ran {
  int exit_code;
  std::string output;
};

// Runs a shell command; its output has both streams.
Ran run(const std::string& command) {
  Ran out{-1, ""};
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  if (!pipe) return out;
  char chunk[4096];
  while (const size_t n = std::fread(chunk, 1, sizeof chunk, pipe)) out.output.append(chunk, n);
  const int status = pclose(pipe);
  out.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return out;
}

std::set<std::string> lines_of(const std::string& text) {
  std::set<std::string> out;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    if (!line.empty()) out.insert(line);
  }
  return out;
}

// Installs once for all tests.
class Installed : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    char folder[] = "/tmp/kith-consumer-XXXXXX";
    ASSERT_NE(mkdtemp(folder), nullptr);
    root = folder;
    prefix = root + "/first";
    const Ran install =
        run(KITH_CMAKE " --install " KITH_BINARY_DIR " --component library --prefix " + prefix);
    ASSERT_EQ(install.exit_code, 0) << install.output;
    // Nothing in the tree may depend on where it was installed.
    fs::rename(prefix, root + "/moved");
    prefix = root + "/moved";
    libdir = prefix + "/" KITH_LIBDIR;
    library = libdir + "/libkith.so";
  }
  static void TearDownTestSuite() { fs::remove_all(root); }

  // Configures and builds a project of this folder.
  static std::string build(const std::string& project) {
    const std::string folder = root + "/" + project;
    const Ran configured =
        run(KITH_CMAKE " -G '" KITH_GENERATOR "' -S " KITH_SOURCE_DIR "/tests/consumer/" + project +
            " -B " + folder + " -DCMAKE_PREFIX_PATH=" + prefix +
            " -DCMAKE_C_COMPILER=" KITH_CC " -DCMAKE_CXX_COMPILER=" KITH_CXX);
    EXPECT_EQ(configured.exit_code, 0) << configured.output;
    const Ran built = run(KITH_CMAKE " --build " + folder);
    EXPECT_EQ(built.exit_code, 0) << built.output;
    return folder;
  }
  static void expect_runs(const std::string& command) {
    const Ran ran = run(command);
    EXPECT_EQ(ran.exit_code, 0) << command << "\n" << ran.output;
    std::printf("%s", ran.output.c_str());
  }

  static inline std::string root, prefix, libdir, library;
};

TEST_F(Installed, IsFoundByCMakeInCAndCpp) {
  const std::string folder = build("project");
  for (const char* name : {"c_shared", "c_static", "cpp_shared", "cpp_static"}) {
    expect_runs(folder + "/" + name);
  }
}

TEST_F(Installed, IsFoundByAProjectWithoutCpp) {
  const std::string folder = build("c_project");
  expect_runs(folder + "/c_only_kith");
  expect_runs(folder + "/c_only_static");
}

TEST_F(Installed, IsFoundByPkgConfig) {
  if (std::string(KITH_PKG_CONFIG).empty()) GTEST_SKIP() << "no pkg-config here";
  const std::string config = "PKG_CONFIG_PATH=" + libdir + "/pkgconfig " KITH_PKG_CONFIG;
  const std::string source = KITH_SOURCE_DIR "/tests/consumer/project/consumer.c";
  expect_runs(KITH_CC " -std=c11 -Wall -Wextra -pedantic -Werror -o " + root + "/pc_shared " +
              source + " $(" + config + " --cflags --libs kith)");
  expect_runs("LD_LIBRARY_PATH=" + libdir + " " + root + "/pc_shared");
  // The archives after it, because the shared library of the same name stands beside it.
  expect_runs(KITH_CC " -std=c11 -o " + root + "/pc_static " + source + " $(" + config +
              " --cflags kith) " + libdir + "/libkith.a $(" + config +
              " --static --libs kith | sed 's/-lkith//')");
  expect_runs(root + "/pc_static");
  expect_runs(config + " --modversion kith");
}

TEST_F(Installed, HasHeadersThatCompileAloneInStrictC11AndCpp20) {
  const std::string flags =
      " -Wall -Wextra -Wshadow -Wconversion -pedantic -Werror -fsyntax-only -I" + prefix +
      "/include ";
  size_t num_headers = 0;
  for (const auto& entry : fs::recursive_directory_iterator(prefix + "/include/kith")) {
    const std::string path = entry.path().string();
    if (entry.path().extension() == ".h") {
      expect_runs(KITH_CC " -std=c11 -Wstrict-prototypes -x c" + flags + path);
      expect_runs(KITH_CXX " -std=c++11 -x c++" + flags + path);
      ++num_headers;
    } else if (entry.path().extension() == ".hpp") {
      // Included, not compiled: gcc warns of #pragma once in a main file.
      const std::string source = root + "/one.cc";
      std::ofstream(source) << "#include \"" << path << "\"\n";
      expect_runs(KITH_CXX " -std=c++20" + flags + source);
      ++num_headers;
    }
  }
  std::ofstream(root + "/one.cc") << "#include <kith/kith.hpp>\n";
  expect_runs(KITH_CXX " -std=c++20 -fno-exceptions -fno-rtti" + flags + root + "/one.cc");
  EXPECT_GE(num_headers, 17U);
}

TEST_F(Installed, HasLicensesAndNoPathOfTheBuild) {
  size_t num_licenses = 0;
  for (const auto& entry : fs::recursive_directory_iterator(prefix)) {
    if (!entry.is_regular_file()) continue;
    const std::string name = entry.path().filename().string();
    if (name.rfind("LICENSE", 0) == 0) ++num_licenses;
    if (entry.path().extension() != ".cmake" && entry.path().extension() != ".pc") continue;
    std::ifstream in(entry.path());
    const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    EXPECT_EQ(text.find(KITH_BINARY_DIR), std::string::npos) << entry.path();
    EXPECT_EQ(text.find(KITH_SOURCE_DIR), std::string::npos) << entry.path();
    EXPECT_EQ(text.find(root), std::string::npos) << entry.path();
  }
  EXPECT_GE(num_licenses, 2U);
}

TEST_F(Installed, ExportsTheCApiAndNothingElse) {
  const Ran nm = run(KITH_NM " -D --defined-only " + library + " | awk '{print $3}'");
  ASSERT_EQ(nm.exit_code, 0) << nm.output;
  const std::set<std::string> exports = lines_of(nm.output);
  std::ifstream in(KITH_SOURCE_DIR "/tests/consumer/exports.txt");
  const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  const std::set<std::string> expected = lines_of(text);
  for (const std::string& name : exports) {
    EXPECT_EQ(name.rfind("kith_", 0), 0U) << name << " is none of the C API";
    EXPECT_TRUE(expected.count(name)) << name << " is new: add it to tests/consumer/exports.txt";
  }
  for (const std::string& name : expected) {
    EXPECT_TRUE(exports.count(name)) << name << " is gone: that breaks programs";
  }
}

TEST_F(Installed, ExportsWhatTheHeadersDeclare) {
  std::set<std::string> declared;
  for (const auto& entry : fs::directory_iterator(prefix + "/include/kith")) {
    if (entry.path().extension() != ".h") continue;
    const Ran names = run("tr '\\n' ' ' < " + entry.path().string() +
                          " | grep -o 'KITH_API [^(;]*(' | grep -o 'kith_[a-z0-9_]*(' | tr -d '('");
    declared.merge(lines_of(names.output));
  }
  std::ifstream in(KITH_SOURCE_DIR "/tests/consumer/exports.txt");
  const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  EXPECT_EQ(declared, lines_of(text));
}

TEST_F(Installed, NeedsOnlyLibc) {
  const Ran needed =
      run(KITH_READELF " -d " + library + " | sed -n 's/.*(NEEDED).*\\[\\(.*\\)\\]/\\1/p'");
  ASSERT_EQ(needed.exit_code, 0) << needed.output;
  const std::set<std::string> allowed = {"libc.so.6",
                                         "libm.so.6",
                                         "libpthread.so.0",
                                         "libdl.so.2",
                                         "librt.so.1",
                                         "ld-linux-x86-64.so.2",
                                         "ld-linux-aarch64.so.1"};
  for (const std::string& name : lines_of(needed.output)) {
    EXPECT_TRUE(allowed.count(name)) << name;
  }
  const Ran all = run("ldd " + library);
  EXPECT_EQ(all.output.find("not found"), std::string::npos) << all.output;
}

TEST_F(Installed, SaysHowLargeItIs) {
  const std::string stripped = root + "/stripped.so";
  expect_runs(KITH_STRIP " -o " + stripped + " " + library);
  std::printf("libkith.so %ju bytes, stripped %ju; libkith.a %ju\n",
              static_cast<uintmax_t>(fs::file_size(library)),
              static_cast<uintmax_t>(fs::file_size(stripped)),
              static_cast<uintmax_t>(fs::file_size(libdir + "/libkith.a")));
  expect_runs("size " + stripped);
  EXPECT_LT(fs::file_size(stripped), 10U << 20);
}

}  // namespace
