// A runtime's thread: start, stop, calls into it from others, and that nobody waits for ever.
#include "host/runtime.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace kith::host {
namespace {

TEST(Runtime, RunsOnAThreadOfItsOwn) {
  const auto r = Runtime::create().value();
  EXPECT_FALSE(r->has_thread());
  ASSERT_TRUE(r->start_thread().ok());
  EXPECT_TRUE(r->has_thread());
  EXPECT_EQ(r->start_thread().status(), KITH_ERR_INVALID_STATE);
  EXPECT_FALSE(r->loop().on_loop());
  bool on_loop = false;
  EXPECT_TRUE(r->call([&] { on_loop = r->loop().on_loop(); }).ok());
  EXPECT_TRUE(on_loop);
  r->join_thread();
  r->join_thread();  // harmless
  EXPECT_TRUE(r->loop().on_loop());
}

TEST(Runtime, StartsAgainAfterTheEnd) {
  const auto r = Runtime::create().value();
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(r->start_thread().ok());
    int runs = 0;
    EXPECT_TRUE(r->call([&] { ++runs; }).ok());
    EXPECT_EQ(runs, 1);
    r->join_thread();
  }
}

TEST(Runtime, CallsWithoutAThreadAreRefused) {
  const auto r = Runtime::create().value();
  EXPECT_EQ(r->call([] { FAIL(); }).status(), KITH_ERR_INVALID_STATE);
  ASSERT_TRUE(r->start_thread().ok());
  r->join_thread();
  EXPECT_EQ(r->call([] { FAIL(); }).status(), KITH_ERR_INVALID_STATE);
}

TEST(Runtime, AStopOfTheLoopDoesNotEndItsThread) {
  const auto r = Runtime::create().value();
  r->loop().stop();
  ASSERT_TRUE(r->start_thread().ok());
  r->loop().stop();
  int runs = 0;
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(r->call([&] { ++runs; }).ok());
  EXPECT_EQ(runs, 10);
  r->join_thread();
}

TEST(Runtime, WhatWasPostedRunsAlsoAfterTheThread) {
  const auto r = Runtime::create().value();
  int runs = 0;
  r->loop().post([&] { ++runs; });  // before there is one
  ASSERT_TRUE(r->start_thread().ok());
  EXPECT_EQ(runs, 1);
  for (int i = 0; i < 100; ++i) r->loop().post([&] { ++runs; });
  r->join_thread();
  EXPECT_EQ(runs, 101);
}

TEST(Runtime, CallersNeverHangWhenItStops) {
  const auto r = Runtime::create().value();
  for (int round = 0; round < 20; ++round) {
    ASSERT_TRUE(r->start_thread().ok());
    std::atomic<int> ran{0}, succeeded{0};
    std::atomic<bool> stop{false};
    std::vector<std::thread> callers;
    for (int t = 0; t < 3; ++t) {
      callers.emplace_back([&] {
        while (!stop) {
          if (r->call([&] { ++ran; }).ok()) ++succeeded;
        }
      });
    }
    while (ran < 10) std::this_thread::yield();
    r->join_thread();
    stop = true;
    for (std::thread& c : callers) c.join();
    EXPECT_EQ(ran, succeeded);
  }
}

TEST(Runtime, BorrowsASlotAndGivesItBack) {
  std::vector<std::unique_ptr<Runtime>> all;
  for (int i = 0; i < transport::quic::kMaxLoops; ++i) all.push_back(Runtime::create().value());
  const auto ninth = Runtime::create();
  EXPECT_EQ(ninth.status(), KITH_ERR_LIMIT);
  EXPECT_NE(ninth.error().detail().find("8"), std::string_view::npos);
  all.erase(all.begin() + 3);
  EXPECT_TRUE(Runtime::create().ok());
}

}  // namespace
}  // namespace kith::host
