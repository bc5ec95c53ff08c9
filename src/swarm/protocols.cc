#include "swarm/protocols.h"

#include "protocol/multistream/dialer.h"

namespace kith::swarm {

Status ProtocolRegistry::add(std::string_view id, ProtocolHandler* handler) {
  if (multistream::Dialer check(std::span(&id, 1)); check.state() == multistream::State::kFailed) {
    return check.error();
  }
  if (!handlers_.emplace(id, handler).second) {
    return Error(KITH_ERR_INVALID_STATE, "protocols",
                 "'" + std::string(id) + "' has a handler already");
  }
  return {};
}

void ProtocolRegistry::remove(std::string_view id) {
  if (const auto it = handlers_.find(id); it != handlers_.end()) handlers_.erase(it);
}

ProtocolHandler* ProtocolRegistry::find(std::string_view id) const {
  const auto it = handlers_.find(id);
  return it == handlers_.end() ? nullptr : it->second;
}

std::vector<std::string_view> ProtocolRegistry::list() const {
  std::vector<std::string_view> out;
  out.reserve(handlers_.size());
  for (const auto& [id, handler] : handlers_) out.push_back(id);
  return out;
}

}  // namespace kith::swarm
