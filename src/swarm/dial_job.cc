#include "swarm/dial_job.h"

#include <algorithm>

#include "base/limits.h"

namespace kith::swarm {

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

bool DialJob::has_address(const wire::Multiaddr& address) const {
  return std::any_of(lanes_.begin(), lanes_.end(), [&](const Lane& lane) {
    return std::find(lane.addresses.begin(), lane.addresses.end(), address) != lane.addresses.end();
  });
}

void DialJob::add_addresses(std::vector<wire::Multiaddr> addresses) {
  size_t num = 0;
  for (const Lane& lane : lanes_) num += lane.addresses.size();
  for (wire::Multiaddr& a : addresses) {
    if (num == limits::kDialAddresses) break;
    if (has_address(a)) continue;
    ++num;
    lanes_[static_cast<size_t>(group_of(a))].addresses.push_back(std::move(a));
  }
  // Those that have had no turn yet are ranked anew, with the new ones among them.
  for (Lane& lane : lanes_) rank_addresses(std::span(lane.addresses).subspan(lane.next));
  wake();
}

TimePoint DialJob::due(const Lane& lane) const {
  if (options_.simultaneous_open_role) return 0;
  const bool is_relayed = &lane == &lanes_[static_cast<size_t>(AddressGroup::kRelayed)];
  TimePoint due = 0;
  for (const auto& a : attempts_) {
    if (a->has_failed) continue;
    if (a->lane == &lane || a->has_answered) due = std::max(due, a->alone_until);
    if (a->lane != &lane && is_relayed) due = std::max(due, started_ + kRelayDelay);
  }
  return due;
}

void DialJob::next() {
  if (!peer().empty()) {  // a connection exists, or came in meanwhile
    if (PeerConnection* existing = swarm_.find(peer())) return succeed(*existing);
  }
  for (Lane& lane : lanes_) {  // the direct ones first: those that are relayed wait for them
    while (!lane.is_done() && due(lane) <= swarm_.loop().now()) dial_next(lane);
  }
  if (num_running_ != 0) return schedule();
  if (attempts_.empty()) return fail(Error(KITH_ERR_NO_ADDRESS, "dial", "no address to dial"));
  return fail(attempts_.size() == 1
                  ? Error(last_status_, "dial", errors_)
                  : Error(KITH_ERR_UNREACHABLE, "dial", "every address failed: " + errors_));
}

void DialJob::schedule() {
  TimePoint next = kNever;
  for (const Lane& lane : lanes_) {
    if (!lane.is_done()) next = std::min(next, due(lane));
  }
  timer_.set(next);
}

void DialJob::dial_next(Lane& lane) {
  auto attempt = std::make_unique<Attempt>();
  attempt->job = this;
  attempt->lane = &lane;
  attempt->head_start = head_start(lane.addresses, lane.next);
  attempt->address = lane.addresses[lane.next++];
  attempt->alone_until = swarm_.loop().now() + attempt->head_start;
  Attempt* a = attempt.get();
  attempts_.push_back(std::move(attempt));
  ++num_running_;
  transport::Transport* t = swarm_.transport_for_dial(a->address);
  if (!t) {
    return attempt_failed(a, Error(KITH_ERR_NO_ADDRESS, "dial", "no transport here can dial it"));
  }
  const transport::DialOptions options = {
      peer_, options_.simultaneous_open_role.value_or(transport::Role::kDialer)};
  Result<std::unique_ptr<transport::Dial>> dial = t->dial(a->address, options, a);
  if (!dial.ok()) return attempt_failed(a, dial.error());
  a->dial = std::move(dial).value();
}

void DialJob::attempt_failed(Attempt* a, const Error& error) {
  --num_running_;
  a->has_failed = true;
  last_status_ = error.status();
  if (!errors_.empty()) errors_ += "; ";
  errors_ +=
      a->address.to_string() + ": " +
      (error.detail().empty() ? kith_status_text(error.status()) : std::string(error.detail()));
  wake();  // the next address, or the end
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
  timer_.cancel();
  while (Connect* w = next_waiter()) w->handler->on_connect(c);
}

void DialJob::fail(const Error& error) {
  const Error copy = error;  // NOLINT(performance-*): `error` may be a part of what goes below
  const std::unique_ptr<DialJob> self = swarm_.take_job(this);
  timer_.cancel();
  while (Connect* w = next_waiter()) w->handler->on_connect_failed(copy);
}

void DialJob::Attempt::on_handshake() {
  has_answered = true;
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
