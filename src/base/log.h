// The log sink: where kith reports what happens, for people. Off (nullptr) by default; nothing formats then.
#pragma once

#include <string>
#include <string_view>

namespace kith {

enum class LogLevel : int { kError = 1, kWarn = 2, kInfo = 3, kDebug = 4 };

// A LogSink receives finished lines, without a newline, on the loop.
class LogSink {
 public:
  virtual ~LogSink() = default;
  virtual bool enabled(LogLevel level) const = 0;
  virtual void write(LogLevel level, std::string_view area, std::string_view line) = 0;
};

// KITH_LOG(sink, kInfo, "swarm", text): `text` is evaluated only when somebody listens.
#define KITH_LOG(sink, level, area, text)                         \
  do {                                                            \
    ::kith::LogSink* kith_sink = (sink);                          \
    if (kith_sink && kith_sink->enabled(::kith::LogLevel::level)) \
      kith_sink->write(::kith::LogLevel::level, area, text);      \
  } while (0)

}  // namespace kith
