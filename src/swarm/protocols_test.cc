// The table of protocols.
#include "swarm/protocols.h"

#include <gtest/gtest.h>

#include "swarm/test_net.h"

namespace kith::swarm {
namespace {

TEST(ProtocolRegistry, FindsExactIds) {
  ProtocolRegistry registry;
  test::TestProtocol a, b;
  EXPECT_TRUE(registry.add("/a/1", &a).ok());
  EXPECT_TRUE(registry.add("/a/1/", &b).ok());
  EXPECT_EQ(registry.find("/a/1"), &a);
  EXPECT_EQ(registry.find("/a/1/"), &b);
  EXPECT_EQ(registry.find("/a"), nullptr);
  EXPECT_TRUE(registry.supports("/a/1"));
  EXPECT_FALSE(registry.supports("/A/1"));
  EXPECT_EQ(registry.list(), (std::vector<std::string_view>{"/a/1", "/a/1/"}));
}

TEST(ProtocolRegistry, RefusesASecondHandlerUntilTheFirstIsRemoved) {
  ProtocolRegistry registry;
  test::TestProtocol a, b;
  ASSERT_TRUE(registry.add("/x", &a).ok());
  const Status twice = registry.add("/x", &b);
  EXPECT_EQ(twice.status(), KITH_ERR_INVALID_STATE);
  EXPECT_NE(twice.error().detail().find("/x"), std::string_view::npos);
  EXPECT_EQ(registry.find("/x"), &a);
  registry.remove("/x");
  registry.remove("/x");  // harmless
  EXPECT_EQ(registry.find("/x"), nullptr);
  EXPECT_TRUE(registry.add("/x", &b).ok());
}

TEST(ProtocolRegistry, RefusesIdsThatNobodyCouldAskFor) {
  ProtocolRegistry registry;
  test::TestProtocol a;
  for (const std::string& bad :
       {std::string(), std::string("a\nb"), std::string("na"), std::string("ls"),
        std::string("/multistream/1.0.0"), std::string(1024, 'x')}) {
    EXPECT_EQ(registry.add(bad, &a).status(), KITH_ERR_INVALID_ARGUMENT) << bad;
  }
  EXPECT_TRUE(registry.add(std::string(1023, 'x'), &a).ok());
}

}  // namespace
}  // namespace kith::swarm
