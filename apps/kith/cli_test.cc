// The kith program as its users run it: what goes to stdout, exit codes, and two processes that talk over QUIC.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/support/child_process.h"
#include "tests/support/web_pem.h"

namespace kith::test {
namespace {

using support::ChildProcess;
using support::Exit;
using support::Json;
using support::Timeout;

constexpr Timeout kPatience{20'000};
const char* const kPeerId = "QmcgpsyWgH8Y8ajJz1Cu72KnS5uo2Aa2LpzU7kinSupNKC";
const char* const kPeerIdAsCid = "bafzbeigvf25ytwc3akrijfecaotc74udrhcxzh2cx3we5qqnw5vgrei4bm";

std::unique_ptr<ChildProcess> start(std::vector<std::string> words) {
  words.insert(words.begin(), KITH_PROGRAM);
  // Our own standard error would fill with the messages that the tests provoke.
  return ChildProcess::spawn(words, {.environment = {"KITH_KEY=", "KITH_PSK="}, .is_quiet = true});
}

struct Output {
  std::string text;
  int code = -1;
  Json json() const { return Json::parse(text, nullptr, /*allow_exceptions=*/false); }
};

Output run(std::vector<std::string> words) {
  Output out;
  const std::unique_ptr<ChildProcess> child = start(std::move(words));
  if (!child) return out;
  while (const auto line = child->read_line(kPatience)) out.text += *line + "\n";
  if (const auto exit = child->wait(kPatience)) out.code = exit->code;
  return out;
}

// A folder that goes with the test.
class Cli : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "kith-cli-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string path(const char* name) const { return folder_ + "/" + name; }

  // Starts a listener on a free port of 127.0.0.1; its address with /p2p in `address_`.
  void listen(std::vector<std::string> more = {}) {
    std::vector<std::string> words = {"listen", "--listen", "/ip4/127.0.0.1/udp/0/quic-v1"};
    words.insert(words.end(), more.begin(), more.end());
    listener_ = start(words);
    ASSERT_TRUE(listener_);
    const std::optional<std::string> line = listener_->read_line(kPatience);
    ASSERT_TRUE(line.has_value());
    const Json json = Json::parse(*line, nullptr, false);
    address_ = json.is_discarded() ? *line : json["addrs"][0].get<std::string>();
    ASSERT_TRUE(address_.starts_with("/ip4/127.0.0.1/udp/")) << address_;
  }
  // Runs kith with its standard error in a file, or whatever else opens as one. The text is the error's, for a file.
  Output run_for_errors(std::vector<std::string> words, std::string to = "") {
    const bool is_file = to.empty();
    if (is_file) to = path("stderr");
    words.insert(words.begin(),
                 {"/bin/sh", "-c", R"(to="$1"; shift; exec "$@" 2>"$to")", "sh", to, KITH_PROGRAM});
    Output out;
    const auto child = ChildProcess::spawn(words, {.environment = {"KITH_KEY=", "KITH_PSK="}});
    if (!child) return out;
    while (child->read_line(kPatience)) {
    }
    if (const auto exit = child->wait(kPatience)) out.code = exit->code;
    if (is_file) {
      std::ifstream file(to);
      out.text.assign(std::istreambuf_iterator<char>(file), {});
    }
    return out;
  }
  std::string address_without_peer() const { return address_.substr(0, address_.find("/p2p/")); }
  std::string peer_of_listener() const { return address_.substr(address_.find("/p2p/") + 5); }

  std::string folder_;
  std::string address_;
  std::unique_ptr<ChildProcess> listener_;
};

TEST_F(Cli, SaysItsVersion) {
  const Output out = run({"--version"});
  EXPECT_EQ(out.code, 0);
  EXPECT_TRUE(out.text.starts_with("kith ")) << out.text;
}

TEST_F(Cli, HelpsWithExamples) {
  for (const char* command : {"listen", "ping", "perf", "identify", "addr", "id"}) {
    const Output out = run({command, "--help"});
    EXPECT_EQ(out.code, 0) << command;
    EXPECT_NE(out.text.find("Example"), std::string::npos) << command;
  }
}

TEST_F(Cli, ExitsWith2OnWrongUsage) {
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {},
           {"frobnicate"},
           {"key"},
           {"ping"},
           {"ping", "127.0.0.1:4001"},
           {"ping", "--count", "x", "/ip4/127.0.0.1/udp/1/quic-v1"},
           {"ping", "--timeout", "0", "/ip4/127.0.0.1/udp/1/quic-v1"},
           {"perf"},
           {"perf", "--runs", "0", "/ip4/127.0.0.1/udp/1/quic-v1"},
           {"perf", "--duration", "0", "/ip4/127.0.0.1/udp/1/quic-v1"},
           {"perf", "--upload", "0", "/ip4/127.0.0.1/udp/1/quic-v1"},
           {"listen", "--listen", "/ip4/300.0.0.1"},
           {"key", "gen", "--type", "dsa"},
           {"key", "gen", "--bits", "4096"},
           {"id"}}) {
    const Output out = run(words);
    EXPECT_EQ(out.code, 2) << testing::PrintToString(words);
    EXPECT_EQ(out.text, "") << "usage errors go to stderr";
  }
}

TEST_F(Cli, MakesPrivateKeyFilesOfEveryTypeAndReadsThem) {
  for (const char* type : {"ed25519", "secp256k1", "ecdsa", "rsa"}) {
    const std::string file = path(type);
    const Output made = run({"key", "gen", "--type", type, "-o", file});
    ASSERT_EQ(made.code, 0) << type;
    struct stat info {};
    ASSERT_EQ(stat(file.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600u) << type;
    const Json shown = run({"key", "show", "--json", file}).json();
    ASSERT_TRUE(shown.is_object()) << type;
    EXPECT_EQ(shown["peer_id"].get<std::string>() + "\n", made.text);
    EXPECT_EQ(run({"id", "--key", file}).text, made.text);
    EXPECT_EQ(run({"id", "--cid", "--key", file}).text,
              shown["peer_id_cid"].get<std::string>() + "\n");
  }
}

TEST_F(Cli, NeverReplacesAKeyUnlessForced) {
  const std::string file = path("key");
  const std::string first = run({"key", "gen", "-o", file}).text;
  EXPECT_EQ(run({"key", "gen", "-o", file}).code, 1);
  EXPECT_EQ(run({"id", "--key", file}).text, first);
  const Output forced = run({"key", "gen", "--force", "-o", file});
  EXPECT_EQ(forced.code, 0);
  EXPECT_NE(forced.text, first);
  EXPECT_EQ(run({"id", "--key", file}).text, forced.text);
}

TEST_F(Cli, RefusesWhatIsNoKey) {
  const std::string file = path("text");
  std::ofstream(file) << "-----BEGIN PRIVATE KEY-----\n";
  EXPECT_EQ(run({"id", "--key", file}).code, 1);
  EXPECT_EQ(run({"id", "--key", path("missing")}).code, 1);
}

TEST_F(Cli, ConvertsPeerIds) {
  EXPECT_EQ(run({"id", "--cid", kPeerId}).text, std::string(kPeerIdAsCid) + "\n");
  EXPECT_EQ(run({"id", kPeerIdAsCid}).text, std::string(kPeerId) + "\n");
  EXPECT_EQ(run({"id", "nobody"}).code, 1);
}

TEST_F(Cli, ExplainsMultiaddrs) {
  const Output out =
      run({"addr", "--json", "/ip4/127.0.0.1/udp/4001/quic-v1/p2p/" + std::string(kPeerIdAsCid)});
  ASSERT_EQ(out.code, 0);
  const Json json = out.json();
  EXPECT_EQ(json["multiaddr"], "/ip4/127.0.0.1/udp/4001/quic-v1/p2p/" + std::string(kPeerId));
  EXPECT_EQ(json["components"].size(), 4u);
  EXPECT_EQ(json["components"][1]["hex"], "91020fa1");
  EXPECT_EQ(json["can_dial"], true);
  EXPECT_EQ(json["can_listen"], false);
  EXPECT_EQ(run({"addr", "/ip4/127.0.0.1/udp"}).code, 1);
}

TEST_F(Cli, ListensOnWebSocketAndDialsIt) {
  std::ofstream(path("c.pem")) << kWebCertificatePem;
  std::ofstream(path("k.pem")) << kWebKeyPem;
  for (const bool is_secure : {false, true}) {
    std::vector<std::string> words = {
        "listen", "--listen", is_secure ? "/ip4/127.0.0.1/tcp/0/wss" : "/ip4/127.0.0.1/tcp/0/ws"};
    if (is_secure) {
      words.insert(words.end(), {"--tls-certificate", path("c.pem"), "--tls-key", path("k.pem")});
    }
    const auto listener = start(words);
    const std::optional<std::string> address = listener->read_line(kPatience);
    ASSERT_TRUE(address);
    EXPECT_NE(address->find(is_secure ? "/tls/ws/p2p/" : "/ws/p2p/"), std::string::npos)
        << *address;
    EXPECT_EQ(run({"ping", "-c", "1", *address}).code, is_secure ? 1 : 0);
    EXPECT_EQ(run({"ping", "-c", "1", "--insecure-wss", *address}).code, 0);
    EXPECT_EQ(run({"identify", "--insecure-wss", *address}).code, 0);
  }
  EXPECT_EQ(run({"listen", "--listen", "/ip4/127.0.0.1/tcp/0/tls/ws"}).code, 1);
  EXPECT_EQ(run({"listen", "--tls-certificate", path("c.pem")}).code, 2);
  EXPECT_EQ(run({"listen", "--tls-certificate", path("c.pem"), "--tls-key", path("none")}).code, 1);
}

TEST_F(Cli, SaysWhatItCannotDial) {
  for (const char* address :
       {"/ip4/127.0.0.1/tcp/4001/tls", "/ip4/127.0.0.1/tcp/4001/ws/http",
        "/dns4/localhost/udp/1/quic-v1", "/ip4/1.2.3.4/udp/1/quic",
        "/ip4/1.2.3.4/udp/1/quic-v1/webtransport", "/ip4/1.2.3.4/udp/0/quic-v1",
        "/ip4/0.0.0.0/udp/1/quic-v1", "/ip4/1.2.3.4", "/ip4/1.2.3.4/udp/1"}) {
    const Json json = run({"addr", "--json", address}).json();
    EXPECT_EQ(json["can_dial"], false) << address;
    EXPECT_GT(json["why_not_dial"].get<std::string>().size(), 20u) << address;
    EXPECT_EQ(run({"ping", address}).code, 1) << address;
  }
}

TEST_F(Cli, PingsAListener) {
  listen();
  const Output out = run({"ping", "-c", "3", "-i", "0", "--json", address_});
  EXPECT_EQ(out.code, 0);
  EXPECT_NE(out.text.find(R"("sent":3,"received":3)"), std::string::npos) << out.text;
  EXPECT_NE(out.text.find(peer_of_listener()), std::string::npos) << out.text;
  const Output plain = run({"ping", "-c", "2", "-i", "0", "--new-stream", address_without_peer()});
  EXPECT_EQ(plain.code, 0);
  EXPECT_NE(plain.text.find("2 sent, 2 received"), std::string::npos) << plain.text;
}

TEST_F(Cli, IdentifiesAListener) {
  listen();
  const Output out = run({"identify", "--json", address_});
  EXPECT_EQ(out.code, 0);
  const Json json = out.json();
  EXPECT_EQ(json["peer_id"], peer_of_listener());
  EXPECT_TRUE(json["agent"].get<std::string>().starts_with("kith/")) << out.text;
  EXPECT_EQ(json["listen_addrs"][0], address_without_peer());
  EXPECT_TRUE(json["observed_addr"].get<std::string>().starts_with("/ip4/127.0.0.1/udp/"))
      << out.text;
  EXPECT_NE(out.text.find("/ipfs/ping/1.0.0"), std::string::npos) << out.text;
}

TEST_F(Cli, KeepsItsPeerIdWithAKey) {
  const std::string file = path("key");
  const std::string id = run({"key", "gen", "-o", file}).text;
  listen({"--key", file});
  EXPECT_EQ(peer_of_listener() + "\n", id);
}

TEST_F(Cli, RefusesAnotherPeerThanTheOneNamed) {
  listen();
  EXPECT_EQ(run({"ping", address_without_peer() + "/p2p/" + kPeerId}).code, 1);
  EXPECT_EQ(run({"identify", address_without_peer() + "/p2p/" + kPeerId}).code, 1);
}

TEST_F(Cli, FailsWhereNobodyListens) {
  listen();
  listener_->kill(SIGKILL);
  ASSERT_TRUE(listener_->wait(kPatience));
  EXPECT_EQ(run({"ping", "--timeout", "2", address_}).code, 1);
}

TEST_F(Cli, RefusesAPortThatIsTaken) {
  listen();
  EXPECT_EQ(run({"listen", "--listen", address_without_peer()}).code, 1);
}

TEST_F(Cli, EndsInGoodOrderOnSignals) {
  for (const int signal : {SIGINT, SIGTERM}) {
    listen();
    listener_->kill(signal);
    const auto exit = listener_->wait(kPatience);
    ASSERT_TRUE(exit);
    EXPECT_EQ(*exit, (Exit{0, 0})) << "signal " << signal;
  }
}

TEST_F(Cli, SumsUpAnEndlessPingOnInterrupt) {
  listen();
  const std::unique_ptr<ChildProcess> ping =
      start({"ping", "-c", "0", "-i", "0.01", "--json", address_});
  ASSERT_TRUE(ping);
  ASSERT_FALSE(ping->read_event("ping", kPatience).is_discarded());
  ping->kill(SIGINT);
  EXPECT_FALSE(ping->read_event("summary", kPatience).is_discarded());
  EXPECT_EQ(ping->wait(kPatience), (Exit{0, 0}));
}

TEST_F(Cli, ReportsConnectionsAsJsonLines) {
  listen({"--json"});
  const std::unique_ptr<ChildProcess> ping = start({"ping", "-c", "0", address_});
  ASSERT_TRUE(ping);
  const Json connected = listener_->read_event("connected", kPatience);
  ASSERT_FALSE(connected.is_discarded());
  const Json identified = listener_->read_event("identified", kPatience);
  ASSERT_FALSE(identified.is_discarded());
  EXPECT_EQ(identified["peer_id"], connected["peer_id"]);
  ping->kill(SIGINT);
  EXPECT_FALSE(listener_->read_event("disconnected", kPatience).is_discarded());
}

TEST_F(Cli, MeasuresWhatGoesThrough) {
  listen({"--perf"});
  const auto perf = start(
      {"perf", "--upload", "300kB", "--download", "1.5MiB", "--runs", "3", "--json", address_});
  ASSERT_TRUE(perf);
  for (int run = 1; run <= 3; ++run) {
    const Json connected = perf->read_event("connected", kPatience);
    ASSERT_FALSE(connected.is_discarded());
    EXPECT_EQ(connected["peer_id"], peer_of_listener());
    const Json json = perf->read_event("run", kPatience);
    ASSERT_FALSE(json.is_discarded());
    EXPECT_EQ(json["type"], "final");
    EXPECT_EQ(json["run"], run);
    EXPECT_EQ(json["uploadBytes"], 300'000);
    EXPECT_EQ(json["downloadBytes"], 1'572'864);
    EXPECT_GT(json["timeSeconds"], 0.0);
    EXPECT_GT(json["upload_bps"], 0.0);
    EXPECT_GT(json["download_bps"], 0.0);
    EXPECT_GT(json["connect_ms"], 0.0);
  }
  const Json summary = perf->read_event("summary", kPatience);
  ASSERT_FALSE(summary.is_discarded());
  EXPECT_EQ(summary["runs"], 3);
  for (const char* what : {"upload_bps", "download_bps", "connect_ms"}) {
    EXPECT_LE(summary[what]["min"], summary[what]["median"]) << what;
    EXPECT_LE(summary[what]["median"], summary[what]["max"]) << what;
  }
  EXPECT_EQ(perf->wait(kPatience), (Exit{0, 0}));
}

TEST_F(Cli, MeasuresOneDirectionForPeople) {
  listen({"--perf"});
  const Output out = run({"perf", "--download", "2MiB", "--runs", "2", address_});
  EXPECT_EQ(out.code, 0);
  EXPECT_NE(out.text.find("down 2.00 MiB in "), std::string::npos) << out.text;
  EXPECT_NE(out.text.find("bit/s"), std::string::npos) << out.text;
  EXPECT_NE(out.text.find("--- 2 runs, min/q1/median/q3/max ---"), std::string::npos) << out.text;
  EXPECT_EQ(out.text.find("; up "), std::string::npos) << out.text;
}

TEST_F(Cli, MeasuresForATime) {
  listen({"--perf"});
  const auto perf =
      start({"perf", "--upload", "8000000GiB", "--duration", "1.3", "--json", address_});
  ASSERT_TRUE(perf);
  const Json progress = perf->read_event("progress", kPatience);
  ASSERT_FALSE(progress.is_discarded());
  EXPECT_EQ(progress["type"], "intermediary");
  EXPECT_GE(progress["timeSeconds"], 0.9);
  EXPECT_GT(progress["uploadBytes"], 0);
  EXPECT_EQ(progress["downloadBytes"], 0);
  const Json json = perf->read_event("run", kPatience);
  ASSERT_FALSE(json.is_discarded());
  EXPECT_GT(json["uploadBytes"], progress["uploadBytes"]);
  EXPECT_GE(json["timeSeconds"], 1.2);
  EXPECT_EQ(perf->wait(kPatience), (Exit{0, 0}));
  const Output both = run({"perf", "--duration", "0.2", address_});
  EXPECT_EQ(both.code, 0);
  EXPECT_NE(both.text.find("; up "), std::string::npos) << both.text;
  EXPECT_NE(both.text.find("; down "), std::string::npos) << both.text;
}

TEST_F(Cli, ShowsTheProgressOfAMeasurementOnATerminalOnly) {
  listen({"--perf"});
  const std::vector<std::string> words = {"perf",       "--upload", "8000000GiB",
                                          "--duration", "1.3",      address_};
  EXPECT_EQ(run_for_errors(words).text, "");
  const int terminal = posix_openpt(O_RDWR | O_NOCTTY);
  ASSERT_GE(terminal, 0);
  ASSERT_EQ(grantpt(terminal), 0);
  ASSERT_EQ(unlockpt(terminal), 0);
  // Held open, so that what the program wrote can be read after its end.
  const int other_end = open(ptsname(terminal), O_RDWR | O_NOCTTY);
  ASSERT_GE(other_end, 0);
  EXPECT_EQ(run_for_errors(words, ptsname(terminal)).code, 0);
  ASSERT_EQ(fcntl(terminal, F_SETFL, O_NONBLOCK), 0);
  std::string shown(4096, '\0');
  shown.resize(static_cast<size_t>(std::max<ssize_t>(0, read(terminal, shown.data(), 4096))));
  EXPECT_NE(shown.find("run 1/1: up "), std::string::npos) << shown;
  EXPECT_TRUE(shown.ends_with("\r\x1b[K")) << "erased at the end: " << shown;
  close(other_end);
  close(terminal);
}

TEST_F(Cli, SaysWhatIsWrongWithASize) {
  const std::pair<const char*, const char*> wrong[] = {
      {"x", "number and a unit"},      {"-1kB", "negative"},
      {"1G", "no unit is called 'G'"}, {"1Gb", "take B, kB"},
      {"0.5", "whole number"},         {"9999999999GiB", "too large"},
      {"nan", "number and a unit"},    {"1e3B", "no unit is called 'e3B'"}};
  for (const auto& [size, why] : wrong) {
    for (const char* option : {"--upload=", "--download="}) {
      const Output out =
          run_for_errors({"perf", option + std::string(size), "/ip4/127.0.0.1/udp/1/quic-v1"});
      EXPECT_EQ(out.code, 2) << size;
      EXPECT_NE(out.text.find(why), std::string::npos) << size << ": " << out.text;
    }
  }
}

TEST_F(Cli, NamesTheProtocolThatAPeerDoesNotServe) {
  listen();  // without --perf
  const Output out = run_for_errors({"perf", "--upload", "1kB", address_});
  EXPECT_EQ(out.code, 1);
  EXPECT_NE(out.text.find("does not serve /perf/1.0.0"), std::string::npos) << out.text;
  EXPECT_NE(out.text.find("kith listen --perf"), std::string::npos) << out.text;
}

TEST_F(Cli, MeasuresNoOtherPeerThanTheOneNamed) {
  listen({"--perf"});
  const Output out =
      run_for_errors({"perf", "--upload", "1kB", address_without_peer() + "/p2p/" + kPeerId});
  EXPECT_EQ(out.code, 1);
  EXPECT_NE(out.text.find(peer_of_listener()), std::string::npos) << out.text;
}

TEST_F(Cli, FailsWhenAPeerGoesAwayDuringAMeasurement) {
  // A peer that is told to end says so; one that is killed is silent.
  for (const int signal : {SIGTERM, SIGKILL}) {
    for (const char* direction : {"--upload", "--download"}) {
      listen({"--perf"});
      const auto perf =
          start({"perf", direction, "8000000GiB", "--timeout", "1", "--json", address_});
      ASSERT_TRUE(perf);
      ASSERT_FALSE(perf->read_event("progress", kPatience).is_discarded());
      listener_->kill(signal);
      const Json run = perf->read_event("run", kPatience);
      ASSERT_FALSE(run.is_discarded()) << signal << direction;
      EXPECT_EQ(run["unfinished"], true);
      const Json summary = perf->read_event("summary", kPatience);
      ASSERT_FALSE(summary.is_discarded()) << signal << direction;
      EXPECT_EQ(summary["runs"], 0);
      EXPECT_GT(summary["error"].get<std::string>().size(), 10u);
      EXPECT_EQ(perf->wait(kPatience), (Exit{1, 0})) << signal << direction;
    }
  }
}

TEST_F(Cli, SumsUpAnInterruptedMeasurement) {
  listen({"--perf"});
  const auto perf = start({"perf", "--json", address_});
  ASSERT_TRUE(perf);
  ASSERT_FALSE(perf->read_event("progress", kPatience).is_discarded());
  perf->kill(SIGINT);
  const Json run = perf->read_event("run", kPatience);
  ASSERT_FALSE(run.is_discarded());
  EXPECT_GT(run["uploadBytes"], 0);
  EXPECT_EQ(perf->read_event("summary", kPatience)["error"], "interrupted");
  EXPECT_EQ(perf->wait(kPatience), (Exit{128 + SIGINT, 0}));
}

constexpr const char* kNetworkKey =
    "/key/swarm/psk/1.0.0/\n/base16/\n"
    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n";

class PrivateCli : public Cli {
 protected:
  void SetUp() override {
    Cli::SetUp();
    write("swarm.key", kNetworkKey);
  }
  void write(const char* name, const std::string& text) {
    std::ofstream(path(name)) << text;
    ASSERT_EQ(chmod(path(name).c_str(), 0600), 0);
  }
  // Starts a member of the network; its first address in `address_`.
  void listen_privately(const std::vector<std::string>& more) {
    std::vector<std::string> words = {"listen", "--psk", path("swarm.key")};
    words.insert(words.end(), more.begin(), more.end());
    listener_ = start(words);
    ASSERT_TRUE(listener_);
    address_ = listener_->read_line(kPatience).value_or("nothing was printed");
  }
};

TEST_F(PrivateCli, OnlyWhoHasTheKeyIsAnswered) {
  listen_privately({"--listen", "/ip4/127.0.0.1/tcp/0"});
  const Output member = run({"ping", "--count", "1", "--psk", path("swarm.key"), address_});
  EXPECT_EQ(member.code, 0) << member.text;
  EXPECT_EQ(run({"ping", "--count", "1", "--timeout", "1", address_}).code, 1);
  write("other.key", std::string(kNetworkKey).replace(40, 2, "ff"));
  EXPECT_EQ(run({"ping", "--count", "1", "--psk", path("other.key"), address_}).code, 1);
}

TEST_F(PrivateCli, ListensOnTcpByItself) {
  listen_privately({});
  EXPECT_NE(address_.find("/tcp/"), std::string::npos) << address_;
}

TEST_F(PrivateCli, SaysThatQuicIsOff) {
  const Output out = run_for_errors(
      {"listen", "--psk", path("swarm.key"), "--listen", "/ip4/127.0.0.1/udp/0/quic-v1"});
  EXPECT_EQ(out.code, 1);
  EXPECT_NE(out.text.find("QUIC is off in a private network"), std::string::npos) << out.text;
}

TEST_F(PrivateCli, SaysWhatIsWrongWithAKeyFile) {
  write("bad.key", "/key/swarm/psk/1.0.0/\n/base16/\n0011\n");
  write("empty.key", "");
  for (const auto& [file, why] :
       {std::pair("bad.key", "32 bytes"), std::pair("empty.key", "is empty"),
        std::pair("none.key", "No such file")}) {
    const Output out = run_for_errors({"ping", "--psk", path(file), "/ip4/127.0.0.1/tcp/1"});
    EXPECT_EQ(out.code, 1) << file;
    EXPECT_NE(out.text.find(file), std::string::npos) << out.text;
    EXPECT_NE(out.text.find(why), std::string::npos) << out.text;
  }
}

TEST_F(Cli, ChoosesWhatTcpIsMadeOf) {
  listener_ = start({"listen", "--listen", "/ip4/127.0.0.1/tcp/0", "--security", "/noise",
                     "--muxer", "/mplex/6.7.0"});
  ASSERT_TRUE(listener_);
  address_ = listener_->read_line(kPatience).value_or("");
  EXPECT_EQ(run({"ping", "--count", "1", address_}).code, 1);  // no mplex
  const Output both =
      run({"ping", "--count", "1", "--muxer", "/yamux/1.0.0,/mplex/6.7.0", address_});
  EXPECT_EQ(both.code, 0) << both.text;
  const Output out = run_for_errors({"ping", "--muxer", "/spdy/3.1.0", address_});
  EXPECT_EQ(out.code, 1);
  EXPECT_NE(out.text.find("'/spdy/3.1.0' is not one of those known"), std::string::npos);
}

}  // namespace
}  // namespace kith::test
