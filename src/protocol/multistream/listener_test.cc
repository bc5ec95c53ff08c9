#include "protocol/multistream/listener.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "fuzz/input.h"
#include "fuzz/negotiation.h"

namespace kith::multistream {
namespace {

const fuzz::ListTable kTable({"/a/1", "/ipfs/ping/1.0.0"});

std::string lines(std::initializer_list<std::string_view> texts) {
  SmallBuffer<16> out;
  for (std::string_view text : texts) append_line(out, text);
  return std::string(as_text(out.bytes()));
}

std::string take(Listener& listener) {
  const std::string out(as_text(listener.pending()));
  listener.sent(out.size());
  return out;
}

size_t receive(Listener& listener, std::string_view text) {
  return listener.receive(as_bytes(text));
}

TEST(MultistreamListener, AnswersHeaderAndProposalInOneFlight) {
  Listener listener(kTable);
  EXPECT_TRUE(listener.pending().empty());
  receive(listener, lines({kProtocolId, "/ipfs/ping/1.0.0"}));
  EXPECT_EQ(listener.state(), State::kAgreed);
  EXPECT_EQ(listener.agreed(), "/ipfs/ping/1.0.0");
  EXPECT_EQ(take(listener), lines({kProtocolId, "/ipfs/ping/1.0.0"}));
  EXPECT_EQ(listener.agreed(), "/ipfs/ping/1.0.0");
}

// A dialer may wait for our header before it proposes.
TEST(MultistreamListener, AnswersTheHeaderAlone) {
  Listener listener(kTable);
  receive(listener, lines({kProtocolId}));
  EXPECT_EQ(take(listener), lines({kProtocolId}));
  receive(listener, lines({"/a/1"}));
  EXPECT_EQ(take(listener), lines({"/a/1"}));
  EXPECT_EQ(listener.agreed(), "/a/1");
}

TEST(MultistreamListener, AnswersNaAndKeepsListening) {
  Listener listener(kTable);
  receive(listener, lines({kProtocolId, "/b/1"}));
  EXPECT_EQ(take(listener), lines({kProtocolId, "na"}));
  EXPECT_EQ(listener.state(), State::kNegotiating);
  receive(listener, lines({"/a/2", "na", kProtocolId}));
  EXPECT_EQ(take(listener), lines({"na", "na", "na"}));
  receive(listener, lines({"/a/1"}));
  EXPECT_EQ(take(listener), lines({"/a/1"}));
  EXPECT_EQ(listener.agreed(), "/a/1");
}

// rust-libp2p (V1Lazy) and go-libp2p send header, proposal and payload in one flight.
TEST(MultistreamListener, LeavesAnEagerPeersPayloadToTheProtocol) {
  const std::string hello = lines({kProtocolId, "/a/1"});
  const std::string stream = hello + lines({"/ipfs/ping/1.0.0"}) + "payload";
  fuzz::for_each_split(stream.size(), [&](const std::vector<size_t>& cuts) {
    Listener listener(kTable);
    EXPECT_EQ(fuzz::feed(listener, as_bytes(stream), cuts), hello.size());
    EXPECT_EQ(listener.agreed(), "/a/1");
    EXPECT_EQ(receive(listener, "more"), 0U);
  });
}

TEST(MultistreamListener, ReadsAPayloadBehindADeclinedProposalAsNotSupported) {
  Listener listener(kTable);
  receive(listener, lines({kProtocolId, "/b/1"}) + "\x07payload");
  EXPECT_EQ(listener.state(), State::kFailed);
  EXPECT_EQ(listener.error().status(), KITH_ERR_PROTOCOL_NOT_SUPPORTED);
  // The peer is to learn why.
  EXPECT_EQ(take(listener), lines({kProtocolId, "na"}));
}

TEST(MultistreamListener, ReadsTheEndBehindADeclinedProposalAsNotSupported) {
  Listener listener(kTable);
  receive(listener, lines({kProtocolId, "/b/1"}));
  listener.end_of_input();
  EXPECT_EQ(listener.error().status(), KITH_ERR_PROTOCOL_NOT_SUPPORTED);
}

TEST(MultistreamListener, FailsWhenThePeerEndsTheStreamWithoutAProposal) {
  Listener listener(kTable);
  receive(listener, lines({kProtocolId}));
  listener.end_of_input();
  EXPECT_EQ(listener.error().status(), KITH_ERR_CLOSED);
  EXPECT_EQ(listener.error().detail(), "the peer ended the stream before it proposed a protocol");
}

TEST(MultistreamListener, KeepsItsOutcomeWhenThePeerEndsTheStreamAfterIt) {
  Listener listener(kTable);
  receive(listener, lines({kProtocolId, "/a/1"}));
  listener.end_of_input();
  EXPECT_EQ(listener.state(), State::kAgreed);
}

// "If either side receives anything other than the multistream protocol id as the first message,
// they abort the negotiation process."
TEST(MultistreamListener, RefusesAPeerWithoutTheHeader) {
  for (std::string_view first : {"/a/1", "na", "ls", "/multistream/2.0.0"}) {
    Listener listener(kTable);
    receive(listener, lines({first, "/a/1"}));
    EXPECT_EQ(listener.state(), State::kFailed);
    EXPECT_EQ(listener.error().status(), KITH_ERR_PROTOCOL_VIOLATION);
    EXPECT_TRUE(listener.pending().empty());
  }
}

// <length><varint-protocol-length><protocol>\n ... \n: multiformats/multistream-select README.md,
// "ls example in detail".
TEST(MultistreamListener, ListsItsProtocols) {
  Listener listener(kTable);
  receive(listener, lines({kProtocolId, "ls"}));
  EXPECT_EQ(take(listener),
            lines({kProtocolId}) + "\x19" + lines({"/a/1", "/ipfs/ping/1.0.0"}) + "\n");
  receive(listener, lines({"/a/1"}));
  EXPECT_EQ(listener.agreed(), "/a/1");
}

TEST(MultistreamListener, ListsNothingWhenItHasNothing) {
  const fuzz::ListTable none({});
  Listener listener(none);
  receive(listener, lines({kProtocolId, "ls"}));
  EXPECT_EQ(take(listener), lines({kProtocolId}) + "\x01\n");
}

TEST(MultistreamListener, ListsAsManyProtocolsAsFit) {
  const fuzz::ListTable table(std::vector<std::string>(1000, std::string(99, 'p')));
  Listener listener(table);
  receive(listener, lines({kProtocolId}));
  take(listener);
  receive(listener, lines({"ls"}));
  const size_t size = listener.pending().size();
  EXPECT_LE(size, limits::kMultistreamLsBytes);
  EXPECT_GT(size, limits::kMultistreamLsBytes - 120);
  EXPECT_EQ((size - 3) % 101, 0U);  // whole lines, a two-byte length and the last newline
}

TEST(MultistreamListener, ListsOnce) {
  Listener listener(kTable);
  receive(listener, lines({kProtocolId, "ls"}));
  take(listener);
  receive(listener, lines({"ls"}));
  EXPECT_EQ(take(listener), lines({"na"}));
}

TEST(MultistreamListener, FailsAfterTooManyProposals) {
  Listener listener(kTable);
  receive(listener, lines({kProtocolId}));
  for (size_t i = 0; i < limits::kMultistreamProposals; ++i) receive(listener, lines({"/no"}));
  EXPECT_EQ(listener.state(), State::kNegotiating);
  receive(listener, lines({"/a/1"}));
  EXPECT_EQ(listener.state(), State::kFailed);
  EXPECT_EQ(listener.error().status(), KITH_ERR_LIMIT);
  EXPECT_EQ(listener.error().detail(), "more than 64 proposals on one stream");
}

TEST(MultistreamListener, KeepsLittleForAPeerThatNeverReads) {
  const fuzz::ListTable table(std::vector<std::string>(1000, std::string(99, 'p')));
  Listener listener(table);
  receive(listener, lines({kProtocolId}));
  while (listener.state() == State::kNegotiating) receive(listener, lines({"ls", "/no"}));
  EXPECT_LE(listener.pending().size(),
            limits::kMultistreamLsBytes + 20 + 4 * limits::kMultistreamProposals);
}

TEST(MultistreamListener, NamesWhatIsWrongWithALine) {
  const struct {
    std::string_view line;
    kith_status status;
  } kBad[] = {
      {std::string_view("\0", 1), KITH_ERR_MALFORMED},
      {"\x01\n", KITH_ERR_MALFORMED},
      {"\x04/a/1", KITH_ERR_MALFORMED},
      {std::string_view("\x85\0/a/1\n", 7), KITH_ERR_MALFORMED},
      {"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", KITH_ERR_MALFORMED},
      {"\x81\x08", KITH_ERR_MESSAGE_TOO_LARGE},
  };
  for (const auto& bad : kBad) {
    for (const std::string& before : {std::string(), lines({kProtocolId})}) {
      const std::string stream = before + std::string(bad.line);
      fuzz::for_each_split(stream.size(), [&](const std::vector<size_t>& cuts) {
        Listener listener(kTable);
        EXPECT_EQ(fuzz::feed(listener, as_bytes(stream), cuts), stream.size());
        EXPECT_EQ(listener.error().status(), bad.status);
        EXPECT_FALSE(listener.error().detail().empty());
      });
    }
  }
}

TEST(MultistreamListener, EchoesTheLongestId) {
  const std::string id(limits::kMultistreamLineBytes - 1, 'x');
  const fuzz::ListTable table({id});
  const std::string stream = lines({kProtocolId, id});
  fuzz::for_each_split(stream.size(), [&](const std::vector<size_t>& cuts) {
    Listener listener(table);
    fuzz::feed(listener, as_bytes(stream), cuts);
    EXPECT_EQ(listener.agreed(), id);
    EXPECT_EQ(take(listener), stream);
  });
}

TEST(MultistreamListener, ReachesTheSameOutcomeInEverySplit) {
  const std::string stream = lines({kProtocolId, "/b", "ls", "/c", "/a/1"}) + "rest";
  Listener whole(kTable);
  const size_t taken = receive(whole, stream);
  EXPECT_EQ(taken, stream.size() - 4);
  fuzz::for_each_split(stream.size(), [&](const std::vector<size_t>& cuts) {
    Listener listener(kTable);
    EXPECT_EQ(fuzz::feed(listener, as_bytes(stream), cuts), taken);
    EXPECT_EQ(listener.agreed(), "/a/1");
    EXPECT_EQ(as_text(listener.pending()), as_text(whole.pending()));
  });
}

}  // namespace
}  // namespace kith::multistream
