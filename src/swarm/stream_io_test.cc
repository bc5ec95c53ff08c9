// Sequential flows on streams: reading, waiting for room, ends of all kinds, and being destroyed while they wait.
#include "swarm/stream_io.h"

#include <gtest/gtest.h>

#include "swarm/peer_connection.h"
#include "swarm/test_net.h"

namespace kith::swarm {
namespace {

using test::kHeader;
using test::line;
using test::TestProtocol;
using test::TestStream;
using test::TestSwarm;

struct Flow : testing::Test {
  Flow() {
    network.latency = milliseconds(10);
    b = std::make_unique<TestSwarm>(
        loop, network, 2,
        transport::memory::MemoryConfig{.stream_window_bytes = 1000, .max_inbound_streams = 256});
    a = std::make_unique<TestSwarm>(
        loop, network, 1,
        transport::memory::MemoryConfig{.stream_window_bytes = 1000, .max_inbound_streams = 256});
    EXPECT_TRUE(b->swarm.protocols().add("/p", &server).ok());
    connection = &a->connected_to(*b);
  }
  ~Flow() override {
    task.reset();
    io.reset();
    a->stop();
    b->stop();
  }
  void open() {
    const std::string_view id = "/p";
    ASSERT_TRUE(io->open(*connection, std::span(&id, 1)).ok());
  }
  void start(runtime::Task<> t) {
    task = std::move(t);
    task.start();
  }
  Status serve(std::string_view text) { return b->write(server.raw.at(0), text); }
  void run() { loop.run_for(seconds(1)); }
  runtime::SimLoop loop;
  transport::memory::MemoryNetwork network;
  TestProtocol server;
  std::unique_ptr<TestSwarm> b, a;
  PeerConnection* connection;
  std::unique_ptr<StreamIo> io = std::make_unique<StreamIo>();
  runtime::Task<> task;
  std::string log;
};

// Reads up to `at_most` bytes a time and writes down what it gets.
runtime::Task<> read_all(StreamIo& io, std::string& log, size_t at_most) {
  for (;;) {
    const Result<Bytes> data = co_await io.read();
    if (!data.ok()) {
      log += std::string("<") + kith_status_name(data.status()) + ">";
      co_return;
    }
    if (data->empty()) {
      log += "<end>";
      co_return;
    }
    const size_t n = std::min(at_most, data->size());
    log += as_text(data->first(n));
    io.consume(n);
  }
}

TEST_F(Flow, ReadsUntilTheEnd) {
  open();
  start(read_all(*io, log, 1000));
  run();
  ASSERT_TRUE(serve("one ").ok());
  run();
  ASSERT_TRUE(serve("two").ok());
  server.raw[0]->close_write();
  run();
  EXPECT_EQ(log, "one two<end>");
  EXPECT_FALSE(server.last().closed);  // our side is still open
  io.reset();
  run();
  EXPECT_NE(server.last().log.find("reset0"), std::string::npos);
}

TEST_F(Flow, ReadsInSmallPieces) {
  open();
  start(read_all(*io, log, 1));
  run();
  ASSERT_TRUE(serve("abcdefgh").ok());
  server.raw[0]->close_write();
  run();
  EXPECT_EQ(log, "abcdefgh<end>");
}

TEST_F(Flow, WhatNobodyReadsIsHeld) {
  open();
  run();
  ASSERT_TRUE(serve("held ").ok());
  ASSERT_TRUE(serve("back").ok());
  server.raw[0]->close_write();
  run();
  start(read_all(*io, log, 3));
  run();
  EXPECT_EQ(log, "held back<end>");
}

TEST_F(Flow, AFlowThatEndsWellLeavesWell) {
  open();
  start(read_all(*io, log, 1000));
  io->close_write();
  run();
  server.raw[0]->close_write();
  run();
  io.reset();
  run();
  EXPECT_EQ(server.last().log, "fin closed ");  // no reset, no stop
}

TEST_F(Flow, TheEndIsTheEndAlsoAfterTheConnection) {
  open();
  io->close_write();
  run();
  ASSERT_TRUE(serve("x").ok());
  server.raw[0]->close_write();
  start(read_all(*io, log, 1000));
  run();
  EXPECT_EQ(log, "x<end>");
  connection->close();
  run();
  start(read_all(*io, log, 1000));
  EXPECT_EQ(log, "x<end><end>");
}

TEST_F(Flow, ResetsAndLossesAreErrors) {
  open();
  start(read_all(*io, log, 1000));
  run();
  ASSERT_TRUE(serve("x").ok());
  server.raw[0]->reset(9);
  run();
  EXPECT_EQ(log, "x<KITH_ERR_RESET>");
  EXPECT_EQ(io->write(Buffer()).status(), KITH_ERR_RESET);
  log.clear();
  io = std::make_unique<StreamIo>();
  open();
  start(read_all(*io, log, 1000));
  run();
  connection->close();
  run();
  EXPECT_EQ(log, "<KITH_ERR_CLOSED>");
}

TEST_F(Flow, FailedNegotiationIsAnError) {
  const std::string_view id = "/unknown";
  ASSERT_TRUE(io->open(*connection, std::span(&id, 1)).ok());
  start(read_all(*io, log, 1000));
  run();
  EXPECT_EQ(log, "<KITH_ERR_PROTOCOL_NOT_SUPPORTED>");
}

TEST_F(Flow, OpeningFailsOnAClosedConnection) {
  connection->close();
  const std::string_view id = "/p";
  EXPECT_EQ(io->open(*connection, std::span(&id, 1)).status(), KITH_ERR_CLOSED);
}

runtime::Task<> write_all(StreamIo& io, std::string& log, int blocks) {
  const ByteVector block(400, 'w');
  for (int i = 0; i < blocks;) {
    const Status s = io.write(Buffer::take(block));
    if (s.ok()) {
      ++i;
      continue;
    }
    if (s.status() != KITH_ERR_WOULD_BLOCK) {
      log += std::string("<") + kith_status_name(s.status()) + ">";
      co_return;
    }
    log += ".";
    co_await io.writable();
  }
  log += "<done>";
  io.close_write();
}

TEST_F(Flow, WritersWaitForRoom) {
  server.accept = [](transport::Stream&, TestStream& h) {
    h.take = [](transport::Stream&, Bytes) { return size_t{0}; };
  };
  open();
  start(write_all(*io, log, 20));
  run();
  EXPECT_EQ(log, ".");
  server.last().take = nullptr;
  server.raw[0]->resume();
  run();
  EXPECT_GT(log.size(), std::string(".<done>").size());  // waited more than once
  EXPECT_NE(log.find("<done>"), std::string::npos);
  EXPECT_EQ(server.last().received.size(), 8000U);
  EXPECT_EQ(server.last().log, "fin ");
}

TEST_F(Flow, WritersHearOfAStop) {
  server.accept = [](transport::Stream&, TestStream& h) {
    h.take = [](transport::Stream&, Bytes) { return size_t{0}; };
  };
  open();
  start(write_all(*io, log, 20));
  run();
  server.raw[0]->stop_reading(1);
  run();
  EXPECT_EQ(log, ".<KITH_ERR_CLOSED>");
}

TEST_F(Flow, AFailureWakesReaderAndWriter) {
  server.accept = [](transport::Stream&, TestStream& h) {
    h.take = [](transport::Stream&, Bytes) { return size_t{0}; };
  };
  for (const bool by_fail : {true, false}) {
    log.clear();
    std::string writer_log;
    io = std::make_unique<StreamIo>();
    open();
    runtime::Task<> writer = write_all(*io, writer_log, 20);
    writer.start();
    start(read_all(*io, log, 1000));
    run();
    EXPECT_EQ(writer_log, ".");
    if (by_fail) {
      io->fail(Error(KITH_ERR_TIMEOUT, "test"));
      io->fail(Error(KITH_ERR_CANCELED, "test"));  // the first counts
    } else {
      connection->close();
      run();
    }
    const std::string expected = by_fail ? "<KITH_ERR_TIMEOUT>" : "<KITH_ERR_CLOSED>";
    EXPECT_EQ(log, expected);
    EXPECT_EQ(writer_log, "." + expected);
  }
}

// A reader that destroys the StreamIo it reads from, at several places.
runtime::Task<> read_and_destroy(std::unique_ptr<StreamIo>& io, bool consume, bool* done) {
  const Result<Bytes> data = co_await io->read();
  if (consume && data.ok()) io->consume(data->size());
  io.reset();
  *done = true;
}

TEST_F(Flow, AReaderMayDestroyIt) {
  for (const std::string how : {"data", "consumed", "end", "reset", "close", "fail"}) {
    // A fresh connection each time.
    connection = &a->connected_to(*b);
    server.streams.clear();
    server.raw.clear();
    io = std::make_unique<StreamIo>();
    open();
    bool done = false;
    start(read_and_destroy(io, how == "consumed", &done));
    run();
    ASSERT_FALSE(done);
    if (how == "data" || how == "consumed") {
      ASSERT_TRUE(serve("x").ok());
    } else if (how == "end") {
      server.raw[0]->close_write();
    } else if (how == "reset") {
      server.raw[0]->abort(1);
    } else if (how == "close") {
      connection->close();
    } else {
      io->fail(Error(KITH_ERR_TIMEOUT, "test"));
    }
    run();
    EXPECT_TRUE(done) << how;
    if (connection == a->swarm.find(b->id)) connection->close();
    run();
    EXPECT_TRUE(server.last().closed) << how;
  }
}

TEST_F(Flow, DestroyingTheTaskLeavesTheStreamUsable) {
  open();
  start(read_all(*io, log, 1000));
  run();
  task.reset();
  ASSERT_TRUE(serve("later").ok());
  run();
  EXPECT_EQ(log, "");
  start(read_all(*io, log, 1000));
  EXPECT_EQ(log, "later");
}

TEST_F(Flow, DestroyingItWhileATaskWaitsPutsTheTaskToSleep) {
  open();
  start(read_all(*io, log, 1000));
  run();
  io.reset();
  run();
  EXPECT_EQ(log, "");
  EXPECT_TRUE(server.last().closed);
}

TEST_F(Flow, TakesOverInboundStreams) {
  StreamIo inbound;
  std::string got;
  runtime::Task<> reader;
  server.accept = [&](transport::Stream& s, TestStream&) {
    inbound.attach(s);
    reader = read_all(inbound, got, 1000);
    reader.start();
  };
  open();
  ASSERT_TRUE(io->write(Buffer::take(to_vector(as_bytes("with the proposal")))).ok());
  io->close_write();
  run();
  EXPECT_EQ(got, "with the proposal<end>");
}

}  // namespace
}  // namespace kith::swarm
