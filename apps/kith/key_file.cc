#include "key_file.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "command.h"

namespace cli {

namespace {

constexpr size_t kMaxKeyFileBytes = 16 * 1024;  // RSA with 8192 bits has 4.7 kB

[[noreturn]] void fail_errno(const std::string& what) {
  throw Failure(what + ": " + std::strerror(errno));
}

struct File {
  int fd;
  ~File() {
    if (fd > STDERR_FILENO) close(fd);
  }
};

void read_all(int fd, const std::string& path, Secret* out) {
  out->bytes.resize(kMaxKeyFileBytes + 1);
  size_t size = 0;
  while (size < out->bytes.size()) {
    const ssize_t n = read(fd, out->bytes.data() + size, out->bytes.size() - size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail_errno("cannot read " + path);
    if (n == 0) break;
    size += static_cast<size_t>(n);
  }
  out->bytes.resize(size);
  if (size > kMaxKeyFileBytes) throw Failure(path + " is too large to be a key");
}

// A hint for the two common other ways of keeping a key.
std::string other_format(std::string_view text) {
  if (text.starts_with("-----BEGIN")) {
    return " It is a PEM file: kith reads libp2p's own encoding, as 'kith key gen' writes it.";
  }
  const auto is_base64 = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '+' || c == '/' || c == '=' ||
           c == '\n';
  };
  if (text.size() > 40 && std::all_of(text.begin(), text.end(), is_base64)) {
    return " It looks like base64, as in Kubo's configuration: decode it first ('base64 -d').";
  }
  return "";
}

void warn_if_shared(int fd, const std::string& path) {
  struct stat info {};
  if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode) || (info.st_mode & 077) == 0) return;
  spdlog::warn("{} can be read by others; 'chmod 600 {}' makes it private", path, path);
}

void write_all(int fd, const std::string& path, const Secret& secret) {
  size_t done = 0;
  while (done < secret.bytes.size()) {
    const ssize_t n = write(fd, secret.bytes.data() + done, secret.bytes.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail_errno("cannot write " + path);
    done += static_cast<size_t>(n);
  }
}

// Creates `path` and writes the secret; nothing is left behind on failure.
void write_new_file(const std::string& path, const Secret& secret) {
  const File file{open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600)};
  if (file.fd < 0 && errno == EEXIST) {
    throw Failure(
        path +
        " exists. A key that is replaced is gone for good: choose another file, or --force.");
  }
  if (file.fd < 0) fail_errno("cannot create " + path);
  try {
    write_all(file.fd, path, secret);
    if (fsync(file.fd) != 0) fail_errno("cannot write " + path);
  } catch (const Failure&) {
    unlink(path.c_str());
    throw;
  }
}

}  // namespace

Secret::~Secret() {
  if (!bytes.empty()) explicit_bzero(bytes.data(), bytes.size());
}

Secret read_network_key_file(const std::string& path) {
  const File file{open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.fd < 0) fail_errno("cannot open " + path);
  warn_if_shared(file.fd, path);
  Secret secret;
  read_all(file.fd, path, &secret);
  if (secret.bytes.empty()) throw Failure(path + " is empty");
  return secret;
}

Key read_key_file(const std::string& path) {
  const bool is_stdin = path == "-";
  const File file{is_stdin ? STDIN_FILENO : open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.fd < 0 && errno == ENOENT) {
    throw Failure("no key file " + path + ". Make one with 'kith key gen -o " + path + "'.");
  }
  if (file.fd < 0) fail_errno("cannot open " + path);
  if (!is_stdin) warn_if_shared(file.fd, path);
  Secret secret;
  read_all(file.fd, path, &secret);
  kith_key* key = nullptr;
  kith_error error{};
  if (kith_key_decode(&key, secret.bytes.data(), secret.bytes.size(), &error) != KITH_OK) {
    const std::string_view text(reinterpret_cast<const char*>(secret.bytes.data()),
                                secret.bytes.size());
    throw Failure(path + " is not a libp2p private key (" + error.message + ")." +
                  other_format(text));
  }
  return Key(key);
}

void write_key_file(const kith_key& key, const std::string& path, bool force) {
  Secret secret;
  size_t size = 0;
  kith_key_encode(&key, nullptr, &size);
  secret.bytes.resize(size);
  if (const kith_status status = kith_key_encode(&key, secret.bytes.data(), &size);
      status != KITH_OK) {
    throw Failure(std::string("cannot encode the key: ") + kith_status_text(status));
  }
  if (path == "-") {
    if (isatty(STDOUT_FILENO)) {
      throw UsageError("a private key is binary and not for a terminal: name a file with -o FILE");
    }
    write_all(STDOUT_FILENO, "to stdout", secret);
  } else if (force) {
    const std::string temporary = path + ".new." + std::to_string(getpid());
    write_new_file(temporary, secret);
    if (rename(temporary.c_str(), path.c_str()) != 0) {
      const int error = errno;
      unlink(temporary.c_str());
      errno = error;
      fail_errno("cannot replace " + path);
    }
  } else {
    write_new_file(path, secret);
  }
}

std::string key_type_name(kith_key_type type) {
  switch (type) {
    case KITH_KEY_RSA:
      return "RSA";
    case KITH_KEY_ED25519:
      return "Ed25519";
    case KITH_KEY_SECP256K1:
      return "Secp256k1";
    case KITH_KEY_ECDSA:
      return "ECDSA";
    default:
      return "unknown";
  }
}

std::string peer_id_of(const kith_key& key) {
  char text[KITH_PEER_ID_TEXT_MAX];
  if (const kith_status status = kith_key_peer_id(&key, text); status != KITH_OK) {
    throw Failure(std::string("cannot derive the peer id: ") + kith_status_text(status));
  }
  return text;
}

std::string peer_id_as_cid(const std::string& id) {
  char text[KITH_PEER_ID_TEXT_MAX];
  kith_error error{};
  if (kith_peer_id_parse(id.c_str(), nullptr, text, &error) != KITH_OK)
    throw Failure("'" + id + "' is not a peer id (" + error.message + ")");
  return text;
}

std::string peer_id_as_base58(const std::string& id) {
  char text[KITH_PEER_ID_TEXT_MAX];
  kith_error error{};
  if (kith_peer_id_parse(id.c_str(), text, nullptr, &error) != KITH_OK)
    throw Failure("'" + id + "' is not a peer id (" + error.message + ")");
  return text;
}

}  // namespace cli
