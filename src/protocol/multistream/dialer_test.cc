#include "protocol/multistream/dialer.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "fuzz/input.h"

namespace kith::multistream {
namespace {

constexpr std::string_view kPing[] = {"/ipfs/ping/1.0.0"};
constexpr std::string_view kTwo[] = {"/two/2.0.0", "/two/1.0.0"};

std::string lines(std::initializer_list<std::string_view> texts) {
  SmallBuffer<16> out;
  for (std::string_view text : texts) append_line(out, text);
  return std::string(as_text(out.bytes()));
}

// What is pending, as text, and sent at once.
std::string take(Dialer& dialer) {
  const std::string out(as_text(dialer.pending()));
  dialer.sent(out.size());
  return out;
}

size_t receive(Dialer& dialer, std::string_view text) { return dialer.receive(as_bytes(text)); }

TEST(MultistreamDialer, SendsHeaderAndOnlyProposalTogether) {
  Dialer dialer(kPing);
  EXPECT_EQ(to_hex(dialer.pending()),
            "132f6d756c746973747265616d2f312e302e300a"  // libp2p/specs connections/README.md
            "112f697066732f70696e672f312e302e300a");
  EXPECT_TRUE(dialer.may_send_early());
  EXPECT_EQ(dialer.state(), State::kNegotiating);
}

TEST(MultistreamDialer, AgreesWhenThePeerEchoes) {
  Dialer dialer(kPing);
  take(dialer);
  const std::string answer = lines({kProtocolId, kPing[0]});
  EXPECT_EQ(receive(dialer, answer), answer.size());
  EXPECT_EQ(dialer.state(), State::kAgreed);
  EXPECT_EQ(dialer.agreed(), kPing[0]);
  EXPECT_EQ(dialer.error().status(), KITH_OK);
  EXPECT_TRUE(dialer.pending().empty());
}

TEST(MultistreamDialer, LeavesWhatFollowsTheEchoToTheProtocol) {
  const std::string answer = lines({kProtocolId, kPing[0]});
  const std::string stream = answer + lines({kProtocolId, "na"}) + "payload";
  fuzz::for_each_split(stream.size(), [&](const std::vector<size_t>& cuts) {
    Dialer dialer(kPing);
    EXPECT_EQ(fuzz::feed(dialer, as_bytes(stream), cuts), answer.size());
    EXPECT_EQ(dialer.state(), State::kAgreed);
    EXPECT_EQ(receive(dialer, "more"), 0U);
  });
}

TEST(MultistreamDialer, ProposesTheNextProtocolAfterAnNa) {
  Dialer dialer(kTwo);
  EXPECT_EQ(take(dialer), lines({kProtocolId, kTwo[0]}));
  EXPECT_FALSE(dialer.may_send_early());
  receive(dialer, lines({kProtocolId}));
  EXPECT_TRUE(dialer.pending().empty());
  receive(dialer, lines({"na"}));
  EXPECT_TRUE(dialer.may_send_early());
  EXPECT_EQ(take(dialer), lines({kTwo[1]}));
  receive(dialer, lines({kTwo[1]}));
  EXPECT_EQ(dialer.state(), State::kAgreed);
  EXPECT_EQ(dialer.agreed(), kTwo[1]);
}

// A fragment of the last line may be unsent when `na` arrives: it still goes out, in front of the
// next.
TEST(MultistreamDialer, FinishesSendingBeforeTheNextProposal) {
  Dialer dialer(kTwo);
  std::string sent(as_text(dialer.pending().first(7)));
  dialer.sent(7);
  receive(dialer, lines({kProtocolId, "na"}));
  sent += take(dialer);
  EXPECT_EQ(sent, lines({kProtocolId, kTwo[0], kTwo[1]}));
}

TEST(MultistreamDialer, NamesTheProtocolsThatThePeerDoesNotSupport) {
  Dialer dialer(kTwo);
  const std::string answers = lines({kProtocolId, "na", "na"});
  EXPECT_EQ(receive(dialer, answers + "rest"), answers.size() + 4);
  EXPECT_EQ(dialer.state(), State::kFailed);
  EXPECT_EQ(dialer.error().status(), KITH_ERR_PROTOCOL_NOT_SUPPORTED);
  EXPECT_EQ(dialer.error().detail(), "the peer does not support /two/2.0.0, /two/1.0.0");
  EXPECT_TRUE(dialer.pending().empty());
  EXPECT_FALSE(dialer.may_send_early() && dialer.state() == State::kNegotiating);
}

// "If either side receives anything other than the multistream protocol id as the first message,
// they abort the negotiation process."
TEST(MultistreamDialer, RefusesAPeerWithoutTheHeader) {
  for (std::string_view first : {"na", "ls", "/ipfs/ping/1.0.0", "/multistream/1.0.1"}) {
    Dialer dialer(kPing);
    receive(dialer, lines({first}));
    EXPECT_EQ(dialer.state(), State::kFailed);
    EXPECT_EQ(dialer.error().status(), KITH_ERR_PROTOCOL_VIOLATION);
    EXPECT_NE(dialer.error().detail().find("instead of /multistream/1.0.0"), std::string::npos);
  }
}

TEST(MultistreamDialer, RefusesAnyAnswerButTheEchoAndNa) {
  for (std::string_view answer : {"/ipfs/ping/1.0.1", "/ipfs/ping/1.0.", "NA", "ls"}) {
    Dialer dialer(kPing);
    receive(dialer, lines({kProtocolId, answer}));
    EXPECT_EQ(dialer.state(), State::kFailed);
    EXPECT_EQ(dialer.error().status(), KITH_ERR_PROTOCOL_VIOLATION);
    EXPECT_NE(dialer.error().detail().find("to the proposal '/ipfs/ping/1.0.0'"),
              std::string::npos);
  }
}

// Agreement on a protocol that was never proposed would hand the stream to a handler of nobody's
// choice.
TEST(MultistreamDialer, RefusesTheEchoOfAProposalNotYetMade) {
  Dialer dialer(kTwo);
  receive(dialer, lines({kProtocolId, kTwo[1]}));
  EXPECT_EQ(dialer.error().status(), KITH_ERR_PROTOCOL_VIOLATION);
}

TEST(MultistreamDialer, TellsABadLineFromALargeOne) {
  Dialer malformed(kPing);
  receive(malformed, std::string_view("\0", 1));
  EXPECT_EQ(malformed.error().status(), KITH_ERR_MALFORMED);
  Dialer large(kPing);
  receive(large, "\xff\x7f");
  EXPECT_EQ(large.error().status(), KITH_ERR_MESSAGE_TOO_LARGE);
  EXPECT_EQ(receive(large, "anything"), 8U);
}

TEST(MultistreamDialer, ReachesTheSameOutcomeInEverySplit) {
  const std::string streams[] = {
      lines({kProtocolId, "na", kTwo[1]}) + "tail",  lines({kProtocolId, "na", "na", "x"}),
      lines({kProtocolId, kTwo[0], "na"}),           lines({kProtocolId, "/other"}),
      lines({kProtocolId}) + std::string(3, '\x80'), lines({"/multistream/0.0.1"}),
  };
  for (const std::string& stream : streams) {
    SCOPED_TRACE(stream);
    Dialer whole(kTwo);
    const size_t taken = receive(whole, stream);
    fuzz::for_each_split(stream.size(), [&](const std::vector<size_t>& cuts) {
      Dialer dialer(kTwo);
      EXPECT_EQ(fuzz::feed(dialer, as_bytes(stream), cuts), taken);
      EXPECT_EQ(dialer.state(), whole.state());
      EXPECT_EQ(dialer.error().to_string(), whole.error().to_string());
      EXPECT_EQ(as_text(dialer.pending()), as_text(whole.pending()));
    });
  }
}

TEST(MultistreamDialer, FailsWhenThePeerEndsTheStreamBeforeAnAnswer) {
  Dialer dialer(kPing);
  receive(dialer, lines({kProtocolId}));
  dialer.end_of_input();
  EXPECT_EQ(dialer.error().status(), KITH_ERR_CLOSED);
  EXPECT_EQ(dialer.error().detail(),
            "the peer ended the stream before it answered the proposal '/ipfs/ping/1.0.0'");
}

TEST(MultistreamDialer, KeepsItsOutcomeWhenThePeerEndsTheStreamAfterIt) {
  Dialer dialer(kPing);
  receive(dialer, lines({kProtocolId, kPing[0]}));
  dialer.end_of_input();
  EXPECT_EQ(dialer.state(), State::kAgreed);
}

TEST(MultistreamDialer, CopiesTheProtocols) {
  std::string id = "/gone/1";
  std::vector<std::string_view> ids = {id};
  Dialer dialer(ids);
  id.assign(7, '-');
  ids.clear();
  receive(dialer, lines({kProtocolId, "/gone/1"}));
  EXPECT_EQ(dialer.agreed(), "/gone/1");
}

TEST(MultistreamDialer, ProposesUpTo16ProtocolsOfTheLongestIds) {
  std::vector<std::string> ids;
  for (char c = 'a'; c < 'a' + 16; ++c) ids.emplace_back(Dialer::kMaxIdBytes, c);
  const std::vector<std::string_view> views(ids.begin(), ids.end());
  Dialer dialer(views);
  receive(dialer, lines({kProtocolId}));
  for (size_t i = 0; i + 1 < ids.size(); ++i) {
    take(dialer);
    receive(dialer, lines({"na"}));
  }
  EXPECT_EQ(take(dialer), lines({ids.back()}));
  receive(dialer, lines({ids.back()}));
  EXPECT_EQ(dialer.agreed(), ids.back());
}

TEST(MultistreamDialer, RefusesProtocolsThatCannotBeProposed) {
  const std::string long_id(Dialer::kMaxIdBytes + 1, 'x');
  const std::vector<std::vector<std::string_view>> bad = {
      {},
      std::vector<std::string_view>(17, "/a"),
      {""},
      {"/ok", "/new\nline"},
      {"na"},
      {"ls"},
      {kProtocolId},
      {long_id},
  };
  for (const auto& ids : bad) {
    Dialer dialer(ids);
    EXPECT_EQ(dialer.state(), State::kFailed);
    EXPECT_EQ(dialer.error().status(), KITH_ERR_INVALID_ARGUMENT);
    EXPECT_TRUE(dialer.pending().empty());
    EXPECT_FALSE(dialer.may_send_early());
  }
}

}  // namespace
}  // namespace kith::multistream
