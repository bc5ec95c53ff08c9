// Random calls in random order: whatever an application does, handlers hear their end exactly once and nothing after.
#include <algorithm>
#include <cstdio>

#include "tests/capi/node.h"

namespace kith_test {
namespace {

constexpr int kSteps = 1500;

// Several hosts that dial each other, on one driven loop.
class Spin {
 public:
  explicit Spin(uint32_t seed) : random_(seed) {}
  ~Spin() {
    loop_.free();
    for (StreamLog& s : streams_) {
      EXPECT_EQ(s.attached ? 1 : 0, s.destroyed);
      kith_stream_unref(s.stream);
    }
    for (Outcome& o : outcomes_) EXPECT_EQ(o.attached ? 1 : 0, o.destroyed);
    for (Node& n : nodes_) kith_connection_unref(n.connection);
    EXPECT_EQ(served_, 0);
    EXPECT_EQ(lent_, 0);
  }
  void run() {
    for (int i = 0; i < 3; ++i) new_host();
    for (int i = 0; i < kSteps; ++i) {
      act();
      if (random(4) == 0) loop_.step(static_cast<int>(random(3)));
    }
  }
  // What the run reached, so that it cannot quietly do nothing.
  int num_connected() const {
    return static_cast<int>(
        std::count_if(outcomes_.begin(), outcomes_.end(), [](const Outcome& o) { return o.ok; }));
  }
  size_t num_received() const {
    size_t n = 0;
    for (const StreamLog& s : streams_) n += s.received.size();
    return n;
  }

 private:
  size_t random(size_t below) { return (random_() >> 4) % below; }
  void new_host() {
    Node& n = nodes_.emplace_back();
    n.open(loop_.runtime, /*listens=*/true);
    open_.push_back(&n);
    kith_protocol_handler h = {sizeof h, this, nullptr, nullptr};
    h.user_destroy = [](void* user) { --static_cast<Spin*>(user)->served_; };
    h.on_stream = [](void* user, kith_stream* s, const char*) {
      auto* self = static_cast<Spin*>(user);
      if (self->random(10) == 0) return;
      StreamLog& log = self->streams_.emplace_back();
      const kith_stream_handler sh = log.handler();
      EXPECT_EQ(KITH_OK, kith_stream_set_handler(s, &sh));
      log.attached = true;
      log.stream = kith_stream_ref(s);
      if (self->random(10) == 0) kith_stream_abort(s, 1);
    };
    ASSERT_EQ(KITH_OK, kith_host_handle(n.host, kManual, &h));
    ++served_;
  }
  Node& node() { return *open_[random(open_.size())]; }
  kith_connection* connection() { return node().connection; }
  StreamLog* stream() {
    if (streams_.empty()) return nullptr;
    const size_t recent = std::min<size_t>(streams_.size(), 20);
    StreamLog& s = streams_[streams_.size() - 1 - random(recent)];
    return s.stream ? &s : nullptr;
  }
  void act() {
    switch (random(20)) {
      case 0:
        return replace_host();
      case 1:
      case 2:
        return connect();
      case 3:
      case 4:
      case 5:
        return open_stream();
      case 6:
        return ping();
      case 7:
        if (random(4) == 0) kith_connection_close(connection());
        return;
      default:
        if (StreamLog* s = stream()) use(*s);
    }
  }
  void replace_host() {
    if (random(3) != 0) return;
    const size_t i = random(open_.size());
    open_[i]->close();
    open_.erase(open_.begin() + static_cast<ptrdiff_t>(i));
    new_host();
  }
  void connect() {
    Node& from = node();
    Node& to = node();
    const std::string address = to.address();
    const char* list[] = {address.c_str()};
    Outcome& o = outcomes_.emplace_back();
    const kith_connect_handler h = o.connect_handler();
    const kith_status status = kith_host_connect(from.host, list, 1, &h, nullptr);
    EXPECT_EQ(&from == &to ? KITH_ERR_INVALID_ARGUMENT : KITH_OK, status);
    o.attached = status == KITH_OK;
  }
  void open_stream() {
    const char* ids[] = {"/kith-test/nobody", kManual};
    const size_t first = random(6) == 0 ? 0 : 1;
    StreamLog& s = streams_.emplace_back();
    const kith_stream_handler h = s.handler();
    kith_connection* c = connection();
    s.attached = kith_connection_open_stream(c, &s.stream, ids + first, 2 - first, &h) == KITH_OK;
    if (s.attached && random(8) == 0) kith_stream_unref(std::exchange(s.stream, nullptr));
  }
  void ping() {
    Outcome& o = outcomes_.emplace_back();
    const kith_ping_handler h = o.ping_handler();
    kith_connection* c = connection();
    o.attached =
        kith_connection_ping(c, static_cast<uint32_t>(random(4)), static_cast<int64_t>(random(5)),
                             static_cast<int32_t>(random(2)), &h) == KITH_OK;
  }
  void use(StreamLog& s) {
    static const std::vector<uint8_t> data = random_bytes(100'000, 1);
    const size_t len = random(2) == 0 ? random(data.size()) : random(100);
    switch (random(12)) {
      case 0:
        kith_stream_close_write(s.stream);
        break;
      case 1:
        kith_stream_reset(s.stream, random(1000));
        break;
      case 2:
        kith_stream_stop_reading(s.stream, random(1000));
        break;
      case 3:
        if (random(2) == 0) kith_stream_abort(s.stream, random(1000));
        break;
      case 4:
        s.take = random(3) == 0 ? SIZE_MAX : random(500);
        break;
      case 5:
        kith_stream_consume(s.stream, random(400));
        break;
      case 6:
        kith_stream_resume(s.stream);
        break;
      case 7: {
        const auto release = [](void* ctx, const uint8_t*, size_t) {
          --static_cast<Spin*>(ctx)->lent_;
        };
        if (kith_stream_write_lent(s.stream, data.data(), len, release, this) == KITH_OK) ++lent_;
        break;
      }
      default:
        kith_stream_write(s.stream, data.data(), len);
    }
  }

  std::minstd_rand random_;
  std::deque<Node> nodes_;
  std::vector<Node*> open_;
  std::deque<StreamLog> streams_;
  std::deque<Outcome> outcomes_;
  int served_ = 0, lent_ = 0;
  Loop loop_;
};

class SpinH : public testing::TestWithParam<uint32_t> {};

TEST_P(SpinH, EveryHandlerHearsItsEndOnce) {
  std::printf("seed %u\n", GetParam());  // before a crash could hide it
  std::fflush(stdout);
  Spin spin(GetParam());
  spin.run();
  EXPECT_LT(0, spin.num_connected());
  EXPECT_LT(0u, spin.num_received());
}

INSTANTIATE_TEST_SUITE_P(Seeds, SpinH, testing::Values(1u, 2u));

}  // namespace
}  // namespace kith_test
