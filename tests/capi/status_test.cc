// kith/status.h, kith/error.h and kith/kith.h.
#include "kith/status.h"

#include <gtest/gtest.h>

#include <cstring>
#include <set>
#include <string>

#include "kith/kith.h"

namespace {

constexpr kith_status kAll[] = {
    KITH_OK,
    KITH_ERR_INVALID_ARGUMENT,
    KITH_ERR_INVALID_STATE,
    KITH_ERR_WRONG_THREAD,
    KITH_ERR_BUFFER_TOO_SMALL,
    KITH_ERR_NOT_SUPPORTED,
    KITH_ERR_NO_MEMORY,
    KITH_ERR_LIMIT,
    KITH_ERR_WOULD_BLOCK,
    KITH_ERR_IO,
    KITH_ERR_ADDRESS_IN_USE,
    KITH_ERR_CRYPTO,
    KITH_ERR_CLOSED,
    KITH_ERR_CANCELED,
    KITH_ERR_TIMEOUT,
    KITH_ERR_RESET,
    KITH_ERR_CONNECTION_REFUSED,
    KITH_ERR_CONNECTION_LOST,
    KITH_ERR_UNREACHABLE,
    KITH_ERR_NO_ADDRESS,
    KITH_ERR_MALFORMED,
    KITH_ERR_MESSAGE_TOO_LARGE,
    KITH_ERR_PROTOCOL_VIOLATION,
    KITH_ERR_PROTOCOL_NOT_SUPPORTED,
    KITH_ERR_BAD_CERTIFICATE,
    KITH_ERR_BAD_SIGNATURE,
    KITH_ERR_PEER_ID_MISMATCH,
    KITH_ERR_ALPN_MISMATCH,
    KITH_ERR_HANDSHAKE,
    KITH_ERR_UNSUPPORTED_KEY,
    KITH_ERR_INTERNAL,
};

TEST(StatusH, EveryCodeHasANameAndASentenceOfItsOwn) {
  std::set<std::string> names, texts;
  for (const kith_status s : kAll) {
    EXPECT_TRUE(names.insert(kith_status_name(s)).second) << s;
    EXPECT_TRUE(texts.insert(kith_status_text(s)).second) << s;
    EXPECT_EQ(0, std::string(kith_status_name(s)).rfind("KITH_", 0)) << s;
    EXPECT_STRNE("", kith_status_text(s));
  }
  EXPECT_STREQ("KITH_ERR_TIMEOUT", kith_status_name(KITH_ERR_TIMEOUT));
}

TEST(StatusH, OtherNumbersAreUnknownButHaveText) {
  for (const kith_status s : {-1, 6, 19, 100, INT32_MAX, INT32_MIN}) {
    EXPECT_STREQ("KITH_ERR_UNKNOWN", kith_status_name(s));
    EXPECT_NE(nullptr, kith_status_text(s));
  }
}

TEST(ErrorH, MessagesAreCutAndTerminated) {
  const std::string text = "/ip4/" + std::string(2000, 'x');
  size_t len = 0;
  kith_error error;
  std::memset(&error, 0xff, sizeof error);
  EXPECT_EQ(KITH_ERR_MALFORMED, kith_multiaddr_parse(nullptr, &len, text.c_str(), &error));
  EXPECT_EQ(KITH_ERR_MALFORMED, error.status);
  EXPECT_LT(strnlen(error.message, sizeof error.message), sizeof error.message);
}

TEST(KithH, VersionIsThatOfTheHeader) {
  const std::string header = std::to_string(KITH_VERSION_MAJOR) + "." +
                             std::to_string(KITH_VERSION_MINOR) + "." +
                             std::to_string(KITH_VERSION_PATCH);
  EXPECT_EQ(header, kith_version());
}

}  // namespace
