// The command line of the attacker: MODE [HOST] PORT SCENARIO [COUNT] [--key value ...].
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace kith::attacker {

struct Options {
  bool is_server = false;
  std::string host = "127.0.0.1";  // always a loopback address
  uint16_t port = 0;
  std::string scenario;
  std::map<std::string, std::string> values;

  // parse fills `*this` from the words after the program's name. Returns what is wrong with them,
  // or "".
  std::string parse(const std::vector<std::string>& words);

  bool has(const std::string& key) const { return values.contains(key); }
  uint64_t number(const std::string& key, uint64_t fallback) const;
  double seconds(const std::string& key, double fallback) const;
  std::string text(const std::string& key, const std::string& fallback) const;
};

// options_help lists every key with what it does.
std::string options_help();

}  // namespace kith::attacker
