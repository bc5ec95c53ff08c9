#include "transport/upgrade/config.h"

#include "protocol/mplex/session.h"
#include "protocol/noise/session.h"
#include "protocol/tls/session.h"
#include "protocol/yamux/session.h"

namespace kith::transport::upgrade {

std::string_view id_of(Security s) {
  return s == Security::kNoise ? noise::kProtocolId : tls::kProtocolId;
}

std::string_view id_of(Muxer m) {
  return m == Muxer::kMplex ? mplex::kProtocolId : yamux::kProtocolId;
}

std::optional<Security> security_of(std::string_view id) {
  for (const Security s : {Security::kTls, Security::kNoise}) {
    if (id == id_of(s)) return s;
  }
  return std::nullopt;
}

std::optional<Muxer> muxer_of(std::string_view id) {
  for (const Muxer m : {Muxer::kYamux, Muxer::kMplex}) {
    if (id == id_of(m)) return m;
  }
  return std::nullopt;
}

}  // namespace kith::transport::upgrade
