#include "swarm/dial_job.h"

#include <algorithm>

#include "base/limits.h"
#include "swarm/dial_rank.h"

namespace kith::swarm {

DialJob::DialJob(Swarm& swarm, const transport::DialOptions& options,
                 std::vector<wire::Multiaddr> addresses)
    : swarm_(swarm),
      options_(options),
      addresses_(std::move(addresses)),
      stagger_(runtime::Timer::of<&DialJob::next>(swarm.loop().timers(), this)) {
  rank_addresses(addresses_);
}

DialJob::~DialJob() {
  for (Connect* c : waiters_) c->job = nullptr;
  if (destroyed_) *destroyed_ = true;
}

void DialJob::add(Connect* connect) {
  connect->job = this;
  waiters_.push_back(connect);
}

void DialJob::remove(Connect* connect) {
  std::erase(waiters_, connect);
  if (waiters_.empty()) swarm_.take_job(this);  // destroys this, and with it the dials
}

void DialJob::add_addresses(std::vector<wire::Multiaddr> addresses) {
  // Those that have had no turn yet are ranked anew, with the new ones among them.
  const auto waiting = addresses_.begin() + static_cast<ptrdiff_t>(next_address_);
  std::vector<wire::Multiaddr> rest(waiting, addresses_.end());
  for (wire::Multiaddr& a : addresses) {
    if (next_address_ + rest.size() == limits::kDialAddresses) break;
    if (std::find(addresses_.begin(), addresses_.end(), a) == addresses_.end() &&
        std::find(rest.begin(), rest.end(), a) == rest.end()) {
      rest.push_back(std::move(a));
    }
  }
  rank_addresses(rest);
  addresses_.resize(next_address_);
  addresses_.insert(addresses_.end(), rest.begin(), rest.end());
  schedule();
}

void DialJob::start() { schedule(); }

void DialJob::schedule() {
  TimePoint next = swarm_.loop().now();
  for (const auto& a : attempts_) next = std::max(next, a->alone_until);
  stagger_.set(next);
}

void DialJob::next() {
  if (!peer().empty()) {  // a connection exists, or came in meanwhile
    if (PeerConnection* existing = swarm_.find(peer())) return succeed(*existing);
  }
  if (next_address_ == addresses_.size()) {
    if (num_running_ != 0) return;
    if (addresses_.empty()) return fail(Error(KITH_ERR_NO_ADDRESS, "dial", "no address to dial"));
    return fail(Error(addresses_.size() == 1 ? last_status_ : KITH_ERR_UNREACHABLE, "dial",
                      addresses_.size() == 1 ? errors_ : "every address failed: " + errors_));
  }
  auto attempt = std::make_unique<Attempt>();
  attempt->job = this;
  attempt->address = addresses_[next_address_];
  attempt->head_start = head_start(addresses_, next_address_++);
  attempt->alone_until = swarm_.loop().now() + attempt->head_start;
  Attempt* a = attempt.get();
  attempts_.push_back(std::move(attempt));
  ++num_running_;
  schedule();
  transport::Transport* t = swarm_.transport_for_dial(a->address);
  if (!t) {
    return attempt_failed(a, Error(KITH_ERR_NO_ADDRESS, "dial", "no transport here can dial it"));
  }
  Result<std::unique_ptr<transport::Dial>> dial = t->dial(a->address, options_, a);
  if (!dial.ok()) return attempt_failed(a, dial.error());
  a->dial = std::move(dial).value();
}

void DialJob::attempt_failed(Attempt* a, const Error& error) {
  --num_running_;
  a->alone_until = 0;
  last_status_ = error.status();
  if (!errors_.empty()) errors_ += "; ";
  errors_ +=
      a->address.to_string() + ": " +
      (error.detail().empty() ? kith_status_text(error.status()) : std::string(error.detail()));
  schedule();  // the next address, or the end
}

Connect* DialJob::next_waiter() {
  if (waiters_.empty()) return nullptr;
  Connect* connect = waiters_.front();
  waiters_.erase(waiters_.begin());
  connect->job = nullptr;
  return connect;
}

void DialJob::succeed(PeerConnection& c) {
  // Out of the swarm first: what the callbacks start, cancel or destroy must not meet this half done.
  const std::unique_ptr<DialJob> self = swarm_.take_job(this);
  stagger_.cancel();
  while (Connect* w = next_waiter()) w->handler->on_connect(c);
}

void DialJob::fail(const Error& error) {
  const Error copy = error;  // NOLINT(performance-*): `error` may be a part of what goes below
  const std::unique_ptr<DialJob> self = swarm_.take_job(this);
  stagger_.cancel();
  while (Connect* w = next_waiter()) w->handler->on_connect_failed(copy);
}

void DialJob::Attempt::on_handshake() {
  alone_until = job->swarm_.loop().now() + head_start;
  job->schedule();
}

void DialJob::Attempt::on_connected(transport::Connection& connection) {
  DialJob* j = job;
  bool destroyed = false;
  j->destroyed_ = &destroyed;
  PeerConnection* c = j->swarm_.add_connection(connection);
  if (destroyed) return;  // an observer gave up the last claim on this
  j->destroyed_ = nullptr;
  if (c) return j->succeed(*c);
  j->attempt_failed(this, Error(KITH_ERR_INVALID_ARGUMENT, "dial", "that is this node itself"));
}

void DialJob::Attempt::on_failed(const Error& error) { job->attempt_failed(this, error); }

}  // namespace kith::swarm
