// The host and port that a Host header, an absolute request target or an Origin names, and which of them a
// station answers to. A page from elsewhere may point a name of its own at this machine (DNS rebinding); its
// requests then bear that name.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace glint {

/// host [":" port] of RFC 3986, sections 3.2.2 and 3.2.3, without user information.
struct Authority {
  enum class Kind { kName, kIpv4, kIpv6 };
  Kind kind = Kind::kName;
  /// A name in lower case without the dot that may end it; an address as inet_ntop writes it, without
  /// brackets. An IPv4 address inside an IPv6 one (::ffff:1.2.3.4) counts as IPv4.
  std::string host;
  std::optional<int> port;  ///< 1 to 65535; nothing for "host" and "host:"
};

/// Nothing when the text is no host: IPv4 addresses are four decimal numbers (not 127.1, not 0x7f.1), IPv6
/// addresses stand in brackets and have no zone, names are of letters, digits, "-" and "_" between dots, and
/// do not end in a number.
std::optional<Authority> parse_authority(std::string_view text);

/// The same for an address or name alone, as the system and options write it: "::1" has no brackets.
std::optional<Authority> parse_host(std::string_view text);

/// "localhost", 127.0.0.0/8 and ::1.
bool is_loopback(const Authority& authority);

/// True when a page of `origin` ("https://host:8750", as browsers send it) is a page of the station that was
/// asked as `asked`. `secure`: the station itself speaks TLS; otherwise a proxy before it may.
bool same_origin(std::string_view origin, const Authority& asked, bool secure);

/// Which hosts a station answers to: loopback, the address that the connection was made to, the host that
/// it listens on, and the names given by option.
class HostRule {
 public:
  HostRule() = default;
  /// `listen`: the host of --listen. Error(kConfig) for a name that is none.
  HostRule(const std::string& listen, const std::vector<std::string>& names);

  /// `local_address`: of this end of the connection.
  bool answers(const Authority& asked, const std::string& local_address) const;

 private:
  std::vector<std::string> hosts_;
};

}  // namespace glint
